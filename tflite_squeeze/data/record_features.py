"""The specification of what is in each TFRecord record, as a file or as inline text."""

import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError
from tflite_squeeze.files.files import read_file

LABEL_KEYS = ("label", "labels", "y")
_IMAGES = ("png", "jpeg", "image")

Decode = Literal[
    "png", "jpeg", "image",
    "uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64",
]  # fmt: skip


class Feature(BaseModel):
    """How one feature of a record is stored.

    Attributes:
        kind: the list that holds it: bytes, float or int64.
        decode: what the bytes are: an encoded image (png, jpeg, or image for either), or the raw
            little-endian numbers of that dtype.
        shape: of one example; () is a single number.
        key: the feature's key in the record, where it is not the name given here.

    Example:
        >>> Feature(kind="bytes", decode="uint8", shape=(28, 28, 1)).shape
        (28, 28, 1)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bytes", "float", "int64"]
    decode: Decode | None = None
    shape: tuple[int, ...] = ()
    key: str | None = None

    @property
    def is_image(self) -> bool:
        """Whether its bytes are an encoded image."""
        return self.decode in _IMAGES

    @model_validator(mode="after")
    def _fields_agree(self) -> "Feature":
        if self.kind == "bytes" and self.decode is None:
            raise ValueError("bytes need decode: png, jpeg, image, or a dtype such as uint8")
        if self.kind != "bytes" and self.decode is not None:
            raise ValueError(f"decode is for bytes, not for {self.kind}")
        if self.is_image and self.shape:
            raise ValueError("an encoded image has its own shape: leave the shape out")
        if any(size < 1 for size in self.shape):
            raise ValueError(f"shape {self.shape} must be positive")
        return self


class RecordFeatures(BaseModel):
    """What is in each record: the content of `--features`, as a YAML or JSON file or inline.

    Attributes:
        inputs: by input name.
        labels: by output name; a single one may be called `label`.
        class_names: a name per class id.
        preprocessing: what the model was trained with.

    Example:
        >>> read_features("image:bytes:png,label:int64").labels["label"].kind
        'int64'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: dict[str, Feature]
    labels: dict[str, Feature] = {}
    class_names: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


def read_features(text: str | Path) -> RecordFeatures:
    """Reads a feature specification.

    Args:
        text: a YAML or JSON file, or inline `name:kind[:decode][:shape]`, comma-separated, such
            as `image:bytes:png,label:int64` or `x:bytes:uint8:28x28x1,sensor:float:128x6`. The
            names `label`, `labels` and `y` are labels, all others are inputs.

    Raises:
        InputError: it cannot be understood.
    """
    path = Path(text)
    if path.suffix in (".yaml", ".yml", ".json"):
        content: Any = _parsed(path)
    else:
        content = _parsed_inline(str(text))
    try:
        features = RecordFeatures.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(
            f"features {text}: {where}: {first['msg'].removeprefix('Value error, ')}; write "
            f"e.g. image:bytes:png,label:int64"
        ) from error
    if not features.inputs:
        raise InputError(f"features {text} name no input: only labels are there")
    return features


def _parsed(path: Path) -> Any:
    text = read_file(path, "features")
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"features {path} cannot be parsed ({str(error).splitlines()[0]}): correct the file"
        ) from error


def _parsed_inline(text: str) -> dict[str, Any]:
    content: dict[str, Any] = {"inputs": {}, "labels": {}}
    for item in text.split(","):
        name, *fields = [field.strip() for field in item.split(":")]
        if not name or not fields or len(fields) > 3:
            raise InputError(
                f"features {text!r}: {item!r} is not name:kind[:decode][:shape]: write e.g. "
                f"image:bytes:png,label:int64 (a file must end in .yaml or .json)"
            )
        feature: dict[str, Any] = {"kind": fields[0]}
        for field in fields[1:]:
            sizes = field.split("x")
            if all(size.isdigit() for size in sizes):
                feature["shape"] = tuple(int(size) for size in sizes)
            else:
                feature["decode"] = field
        content["labels" if name in LABEL_KEYS else "inputs"][name] = feature
    return content
