"""TFLite metadata, which Android Studio and the task libraries read from a .tflite file.

The buffer TFLITE_METADATA holds a table of the public metadata schema; the files that it names
are in an uncompressed ZIP archive appended to the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tflite_squeeze.android.metadata_schema import (
    GRAYSCALE,
    RGB,
    TENSOR_AXIS_LABELS,
    Fields,
    decoded,
    encoded,
)
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.tflite.attached import attached_files, with_attached_files
from tflite_squeeze.tflite.flatbuffer import metadata_of, with_metadata

_KEY = "TFLITE_METADATA"
_PARSER = "1.0.0"  # every field that is written here has been in the schema since then


@dataclass(frozen=True, kw_only=True)
class TensorAbout:
    """What the metadata say about one tensor.

    Attributes:
        name: its name.
        shape: its shape, batch included.
        description: one line.
        image: whether it is an image (batch, height, width, channels).
        preprocessing: of raw values, for an input.
        labels_file: the associated file that names the values of an output.
    """

    name: str
    shape: tuple[int, ...]
    description: str = ""
    image: bool = False
    preprocessing: Preprocessing | None = None
    labels_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelAbout:
    """What the metadata say about a model.

    Attributes:
        name: its name.
        description: one line.
        version: its version.
        inputs: in the order of the main subgraph.
        outputs: the same way.
    """

    name: str
    description: str
    version: str
    inputs: tuple[TensorAbout, ...]
    outputs: tuple[TensorAbout, ...]


@dataclass(frozen=True, kw_only=True)
class FoundMetadata:
    """What a file carries.

    Attributes:
        fields: the `ModelMetadata` table.
        files: the associated files by name.
    """

    fields: Fields
    files: dict[str, bytes] = field(default_factory=dict)

    def labels(self) -> tuple[str, ...]:
        """The lines of the first file that names the values of an output; empty without one."""
        for subgraph in self.fields.get("subgraph_metadata", [])[:1]:
            for tensor in subgraph.get("output_tensor_metadata", []):
                for file in tensor.get("associated_files", []):
                    if file.get("type") == TENSOR_AXIS_LABELS and file.get("name") in self.files:
                        content = self.files[file["name"]]
                        return tuple(content.decode("utf-8", errors="replace").splitlines())
        return ()


def table_of(about: ModelAbout) -> Fields:
    """The `ModelMetadata` table for a model."""
    subgraph = {
        "input_tensor_metadata": [_tensor(one) for one in about.inputs],
        "output_tensor_metadata": [_tensor(one) for one in about.outputs],
    }
    return {
        "name": about.name,
        "description": about.description,
        "version": about.version,
        "subgraph_metadata": [subgraph],
        "min_parser_version": _PARSER,
    }


def _tensor(about: TensorAbout) -> Fields:
    fields: Fields = {"name": about.name, "description": about.description}
    properties: tuple[str, Fields] = ("FeatureProperties", {})
    if about.image:
        height, width, channels = about.shape[1:]
        properties = (
            "ImageProperties",
            {
                "color_space": RGB if channels == 3 else GRAYSCALE,
                "default_size": {"width": width, "height": height},
            },
        )
    fields["content"] = {"content_properties": properties}
    if about.preprocessing is not None:
        fields["process_units"] = [{"options": ("NormalizationOptions", _norm(about))}]
    if about.labels_file is not None:
        fields["associated_files"] = [
            {
                "name": about.labels_file,
                "description": "One name per line for each value of the output.",
                "type": TENSOR_AXIS_LABELS,
            }
        ]
    return fields


def _norm(about: TensorAbout) -> Fields:
    """(x * scale - mean) / std as the schema has it: (x - mean / scale) / (std / scale)."""
    given = about.preprocessing or Preprocessing()
    means, stds = _listed(given.mean, 0.0), _listed(given.std, 1.0)
    count = max(len(means), len(stds))
    means, stds = means * (count // len(means)), stds * (count // len(stds))
    return {
        "mean": [mean / given.scale for mean in means],
        "std": [std / given.scale for std in stds],
    }


def _listed(value: Any, default: float) -> list[float]:
    if value is None:
        return [default]
    return [float(value)] if isinstance(value, int | float) else [float(one) for one in value]


def with_model_metadata(tflite: bytes, metadata: Fields, files: Mapping[str, bytes]) -> bytes:
    """A file with TFLite metadata; those that it had are replaced.

    Args:
        tflite: the file's content.
        metadata: the `ModelMetadata` table.
        files: the files that the table names, by name.

    Returns:
        The new file; the model in it is as it was, and the same input gives the same bytes.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> read_model_metadata(with_model_metadata(tflite, {"name": "lenet"}, {})).fields
        {'name': 'lenet'}
    """
    return with_attached_files(with_metadata(tflite, {_KEY: encoded(metadata)}), files)


def read_model_metadata(tflite: bytes) -> FoundMetadata | None:
    """Reads TFLite metadata and the files that they name.

    Args:
        tflite: the file's content.

    Returns:
        What the file carries, None if it carries none.

    Raises:
        InputError: the file, its metadata or the appended archive are damaged.
    """
    content = metadata_of(tflite).get(_KEY)
    if content is None:
        return None
    return FoundMetadata(fields=decoded(content), files=attached_files(tflite))
