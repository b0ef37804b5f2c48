"""The asset of an Android application: a file with the metadata that Android's tools read."""

from tflite_squeeze.android.config import ExportAndroid
from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor
from tflite_squeeze.android.known_files import Known
from tflite_squeeze.android.metadata import (
    ModelAbout,
    TensorAbout,
    table_of,
    with_model_metadata,
)
from tflite_squeeze.data.preprocessing import Preprocessing


def asset_of(
    content: bytes, interface: AndroidInterface, config: ExportAndroid, known: Known
) -> bytes:
    """The file with TFLite metadata. Its own are kept, unless there is something to add.

    Args:
        content: the file.
        interface: how it is called.
        config: the user's options.
        known: its name, labels, preprocessing and metadata.

    Returns:
        The asset; the model in it is as it was.
    """
    if known.metadata is not None and not config.labels and config.preprocessing is None:
        return content
    labels_file = f"{config.name}_labels.txt"
    inputs: list[TensorAbout] = []
    outputs: list[TensorAbout] = []
    if interface.main_subgraph:
        inputs = [
            TensorAbout(
                name=one.name,
                shape=one.shape,
                image=_is_image(one, config.content),
                preprocessing=preprocessing_of(one, known.preprocessing),
            )
            for one in sorted(interface.inputs, key=lambda one: one.position)
        ]
        outputs = [
            TensorAbout(
                name=one.name,
                shape=one.shape,
                labels_file=labels_file if one == known.labelled else None,
            )
            for one in sorted(interface.outputs, key=lambda one: one.position)
        ]
    about = ModelAbout(
        name=known.name,
        description=known.description,
        version=known.version,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )
    files = {labels_file: label_lines(known.labels)} if known.labels else {}
    return with_model_metadata(content, table_of(about), files)


def preprocessing_of(
    one: AndroidTensor, preprocessing: Preprocessing | None
) -> Preprocessing | None:
    """The preprocessing of one input."""
    applies = preprocessing is not None and preprocessing.applies_to(one.name)
    return preprocessing if applies and one.array == "FloatArray" else None


def _is_image(one: AndroidTensor, content: str) -> bool:
    """Whether the metadata call an input an image: channels last, gray or coloured."""
    fits = len(one.shape) == 4 and one.shape[3] in (1, 3)
    if content != "auto":
        return content == "image" and fits
    return fits and (one.shape[3] == 3 or one.shape[1] == one.shape[2])


def label_lines(labels: tuple[str, ...]) -> bytes:
    """Labels as a file, one on each line."""
    return "".join(f"{label}\n" for label in labels).encode()
