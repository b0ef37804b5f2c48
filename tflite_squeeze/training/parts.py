"""Which part of the data is trained on, and for how many steps."""

from typing import TYPE_CHECKING, Any

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.raw_data import RawPart
from tflite_squeeze.training.config import FineTune

if TYPE_CHECKING:
    pass


def uses_labels(data: Data) -> bool:
    """Whether what is trained on carries labels; a part that only calibrates does not."""
    return data.labelled and data.train is not None


def training_part(data: Data) -> tuple[Any, RawPart]:
    """The examples to train on: the training part, else the calibration part.

    Args:
        data: fitted to a model.

    Returns:
        Preprocessed unbatched examples, (inputs by name, labels) or the inputs alone, and the
        source that they are of.
    """
    if data.train is not None and data.raw.train is not None:
        return data.train, data.raw.train
    dataset = data.calibration
    if isinstance(dataset.element_spec, tuple):
        dataset = dataset.map(lambda inputs, _: inputs)
    return dataset, data.raw.calibration


def training_steps(data: Data, config: FineTune) -> int:
    """How many steps a training has; at 1,000 an epoch where the data does not know its length."""
    count = training_part(data)[1].count
    return (1000 if count is None else -(-count // config.batch)) * config.epochs
