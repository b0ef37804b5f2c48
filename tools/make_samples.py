"""Writes models/samples/: a small real sample of each named set, to calibrate and verify with.

Each file holds 256 training examples (x_train, y_train) to calibrate on and 256 test examples
(x_test, y_test) to verify on, raw, with class names, preprocessing and origin. They are drawn
with a fixed seed, as many of each class as the classes allow.

Example:
    python tools/make_samples.py
"""

import argparse
import io
from pathlib import Path

import numpy as np

from tflite_squeeze.data.named_sets import NAMED_SETS, NamedSet, load_named_set
from tflite_squeeze.files.files import write_atomically

FOLDER = Path(__file__).parents[1] / "models" / "samples"
EXAMPLES = 256
SEED = 1


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Positions of so many examples, the classes as equal in number as they can be.

    Args:
        labels: class ids, shape (examples,).
        count: how many to draw.
        seed: of the drawing.

    Returns:
        Positions in ascending order.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    # An example's rank among those of its own class: drawing by rank takes the classes in turn.
    ranks = np.empty(len(labels), np.int64)
    for class_id in np.unique(labels):
        members = order[labels[order] == class_id]
        ranks[members] = np.arange(len(members))
    drawn = order[np.argsort(ranks[order], kind="stable")][:count]
    return np.sort(drawn)


def sample_file(named: NamedSet) -> bytes:
    """The content of one sample's .npz file; the same bytes for the same set."""
    train = stratified(named.y_train, EXAMPLES, SEED)
    test = stratified(named.y_test, EXAMPLES, SEED)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        x_train=named.x_train[train],
        y_train=named.y_train[train],
        x_test=named.x_test[test],
        y_test=named.y_test[test],
        class_names=np.array(named.class_names),
        preprocessing=np.array(named.preprocessing.model_dump_json(exclude_defaults=True)),
        origin=np.array(named.origin),
    )
    return content.getvalue()


def main() -> None:
    """Writes the samples that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NAMED_SETS), help="sets to sample")
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().names:
        content = sample_file(load_named_set(name))
        path = FOLDER / f"{name}.npz"
        write_atomically(path, content, force=True)
        print(f"{path}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
