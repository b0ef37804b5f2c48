"""Techniques that change weights one by one, on a `.tflite` file itself: `in_file`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tflite_squeeze.conversion.calibration import calibration_batches
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.weights import widened
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.loading import ModelKind, load_model
from tflite_squeeze.rebuilding.bias_repair import with_repaired_biases
from tflite_squeeze.rebuilding.weights_alone import kernels_of, weights_model, with_weights
from tflite_squeeze.tflite.tidy import tidied
from tflite_squeeze.verification.verify import verify

_SAMPLES = 32  # for means; each operator runs the network on them


def in_file(
    verb: Callable[..., Any], source: str | Path | bytes, config: Any, data: Any = None
) -> tuple[bytes, Any]:
    """Prunes or clusters the weights of a `.tflite` file, at once and whatever its operators are.

    With samples, biases make up for what the changed weights move each output by on average, and
    the record says what the change cost.

    Args:
        verb: `prune` or `cluster`.
        source: a file in float32 or float16, a path to it or its bytes.
        config: of the verb.
        data: real samples: `Data` or anything that `load_data` takes; None changes weights alone.

    Returns:
        (file, record of the verb). The file is dense and in float32: `convert` quantizes it.

    Raises:
        UsageError: it is no `.tflite` file, or has no float weight.
        InputError: it is damaged.

    Example:
        >>> tflite, record = in_file(prune, "detector.tflite", Prune(sparsity=0.5), "photos/")
    """
    loaded = load_model(source)
    if loaded.kind is not ModelKind.TFLITE:
        raise UsageError(
            f"{loaded.path or loaded.name} is a Keras model, and what is asked for is a .tflite "
            f"file: name the output .keras, and convert that"
        )
    before, _ = widened(loaded.model)
    kernels = kernels_of(before)
    changed, record = verb(weights_model(kernels, loaded.name), config, one_shot=True)
    after = with_weights(before, kernels, changed)
    if data is None:
        return _told(loaded.model, tidied(after), record)
    samples = load_data(data)
    batches = calibration_batches(loaded, Convert(calibration_samples=_SAMPLES), samples, {})
    repaired, moved = with_repaired_biases(before, after, kernels, batches)
    found = {one: verify(loaded, one, samples) for one in (after, repaired)}
    plain, better = (found[one].outputs[0].sqnr_db for one in (after, repaired))
    told = f"{moved} biases were moved by what the changed weights cost each output on average"
    if better > plain:
        after = repaired
        told += f": SQNR {plain:.1f} → {better:.1f} dB beside the file as it was"
    else:
        told += (
            f", and moved back, since that did not help: SQNR {plain:.1f}, with it {better:.1f} dB"
        )
    output = found[after].outputs[0]
    update: dict[str, Any] = {
        "agreement": output.agreement,
        "examples": found[after].examples,
        "notes": (*record.notes, told),
    }
    if output.accuracy is not None:
        right = {"before": output.accuracy.reference, "after": output.accuracy.file}
        update |= {"metric": "accuracy", **right}
    return _told(loaded.model, tidied(after), record.model_copy(update=update))


def _told(before: bytes, after: bytes, record: Any) -> tuple[bytes, Any]:
    """The file, and its size in the record: it may be larger than what it was made from."""
    told = f"the file has {len(before):,} → {len(after):,} bytes"
    if len(after) > len(before):
        told += ", since its weights are dense and float32 now: convert it to store them smaller"
    return after, record.model_copy(update={"notes": (*record.notes, told)})
