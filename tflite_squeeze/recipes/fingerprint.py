"""What a run depends on, as hashes: a run may go on only where nothing of it has changed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tflite_squeeze.data.data import Data, Part
from tflite_squeeze.files.files import is_file
from tflite_squeeze.recipes.recipe import Recipe

_EXAMPLES = 1000


def recipe_sha256(recipe: Recipe) -> str:
    """The hash of everything that a recipe says."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def data_sha256(data: Data | None) -> str:
    """A hash by which changed data is noticed.

    A single file is hashed whole. Of everything else, up to 1,000 examples of each part, evenly
    spread, with their labels, the number of examples and the preprocessing.

    Args:
        data: data fitted to the model; None for none.
    """
    digest = hashlib.sha256()
    if data is None:
        return digest.hexdigest()
    about = data.describe()
    said = {name: about[name] for name in ("examples", "inputs", "labelled", "preprocessing")}
    digest.update(json.dumps(said, sort_keys=True).encode())
    path = Path(data.source)
    if is_file(path):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    parts: tuple[Part, ...] = ("train", "validation", "calibration")
    for part in parts:
        if getattr(data.raw, part) is None:
            continue
        sample = data.sample(part, _EXAMPLES)
        for array in [*sample.inputs.values(), *tf.nest.flatten(sample.labels)]:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
