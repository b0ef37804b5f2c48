"""TFRecord files of tf.train.Example, read with a stated specification of their features."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
import yaml
from google.protobuf.message import DecodeError
from pydantic import Field, ValidationError, model_validator

from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.raw_data import PART_NAMES, RawData, RawPart, assemble, first_line
from tflite_squeeze.errors import InputError
from tflite_squeeze.files.files import read_file
from tflite_squeeze.frozen import Frozen

LABEL_KEYS = ("label", "labels", "y")


_IMAGES = ("png", "jpeg", "image")


Decode = Literal[
    "png", "jpeg", "image",
    "uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64",
]  # fmt: skip


class Feature(Frozen):
    """How one feature of a record is stored.

    Example:
        >>> Feature(kind="bytes", decode="uint8", shape=(28, 28, 1)).shape
        (28, 28, 1)
    """

    kind: Literal["bytes", "float", "int64"] = Field(
        description="List of tf.train.Feature that holds the values."
    )
    decode: Decode | None = Field(
        default=None,
        description="What the bytes are: an encoded image (png, jpeg, or image for either), or "
        "raw little-endian numbers of that type.",
    )
    shape: tuple[int, ...] = Field(
        default=(), description="Shape of one example; empty for a single number."
    )
    key: str | None = Field(
        default=None, description="Key in the record, if it is not the name given here."
    )

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


class RecordFeatures(Frozen):
    """What is in each record: the content of `--features`, as a YAML or JSON file or inline.

    Example:
        >>> read_features("image:bytes:png,label:int64").labels["label"].kind
        'int64'
    """

    inputs: dict[str, Feature] = Field(description="Features by input name.")
    labels: dict[str, Feature] = Field(
        default={}, description="Features by output name; a single one may be called label."
    )
    class_names: tuple[str, ...] = Field(
        default=(), description="Name of each class, in the order of their numbers."
    )
    preprocessing: Preprocessing | None = Field(
        default=None, description="Preprocessing that the model was trained with."
    )


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
    text = read_file(path, "features", most_bytes=_MOST_TEXT_BYTES)
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    # What PyYAML raises when a tag is put on something else, or brackets have no end.
    except (
        ValueError, LookupError, AttributeError, TypeError, RecursionError, yaml.YAMLError,
    ) as error:  # fmt: skip
        raise InputError(
            f"features {path} cannot be parsed ({first_line(str(error))}): correct the file"
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


RECORD_SUFFIXES = (".tfrecord", ".tfrecords", ".tfrecord.gz", ".tfrecords.gz")
_PART = re.compile(
    rf"(?P<part>{'|'.join(sorted(PART_NAMES, key=len, reverse=True))})(ing)?(?![a-z])",
    re.IGNORECASE,
).match
_MOST_TEXT_BYTES = 2**18
_HEAD_BYTES, _TAIL_BYTES = 12, 4  # a length and its checksum, the checksum of the content
_MOST_CHECKED = 100_000  # records; a file of more is read without
_STORED = {"bytes": tf.string, "float": tf.float32, "int64": tf.int64}


def read_tfrecord(
    files: Sequence[Path], source: str, features: str | Path | RecordFeatures | None, root: Path
) -> RawData:
    """Opens TFRecord files as streams; no more than a few records are in memory at a time.

    A file is of the training, test, validation or calibration part when its name, or that of a
    folder below the root, starts with that word (train-00.tfrecord, test/0.tfrecord).

    Args:
        files: of tf.train.Example records; `.gz` files are unpacked on the way.
        source: what the user gave.
        features: the specification, or what `read_features` takes.
        root: the folder below which folder names state parts.

    Raises:
        InputError: there is no specification, or the first record does not have its features.
    """
    for file in files:
        _check_lengths(file)
    stored = _first_record(files[0])
    if features is None:
        raise InputError(
            f"data {source} needs a specification of its features; the first record holds "
            f"{_described(stored)}: pass --features, e.g. {_suggested(stored)}"
        )
    spec = features if isinstance(features, RecordFeatures) else read_features(features)
    for name, feature in {**spec.inputs, **spec.labels}.items():
        key = feature.key or name
        if stored.get(key, (None, b""))[0] != feature.kind:
            raise InputError(
                f"data {source} has no {feature.kind} feature {key!r}; the first record holds "
                f"{_described(stored)}: correct --features"
            )
    images = {name for name, feature in spec.inputs.items() if feature.is_image}
    parts = {
        name: RawPart(dataset=_records(found).map(_parser(spec)), count=None)
        for name, found in _by_part(files, root).items()
    }
    return assemble(
        source,
        parts,
        class_names=spec.class_names,
        preprocessing=spec.preprocessing,
        images=frozenset(images),
    )


def is_record(path: Path) -> bool:
    """Whether a file's name says that it holds TFRecords."""
    return path.name.lower().endswith(RECORD_SUFFIXES)


def _by_part(files: Sequence[Path], root: Path) -> dict[str, list[Path]]:
    """Files by the part that their names, or their folders' names, state."""
    parts: dict[str, list[Path]] = {}
    for file in files:
        stated = [
            match["part"].lower() for name in file.relative_to(root).parts if (match := _PART(name))
        ]
        parts.setdefault(stated[0] if stated else "train", []).append(file)
    return parts


def _records(files: Sequence[Path]) -> tf.data.Dataset:
    plain = [str(file) for file in files if file.suffix != ".gz"]
    packed = [str(file) for file in files if file.suffix == ".gz"]
    sets = [
        tf.data.TFRecordDataset(names, compression_type=kind)
        for names, kind in ((plain, ""), (packed, "GZIP"))
        if names
    ]
    return sets[0] if len(sets) == 1 else sets[0].concatenate(sets[1])


def _parser(spec: RecordFeatures) -> Any:
    """The function from a serialized record to inputs, or (inputs, labels)."""
    named = {**spec.inputs, **spec.labels}
    form = {
        feature.key or name: tf.io.FixedLenFeature(
            () if feature.kind == "bytes" else feature.shape, _STORED[feature.kind]
        )
        for name, feature in named.items()
    }

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def parse(record: tf.Tensor) -> Any:
        stored = tf.io.parse_single_example(record, form)
        values = {
            name: _decoded(stored[feature.key or name], feature) for name, feature in named.items()
        }
        inputs = {name: values[name] for name in spec.inputs}
        if not spec.labels:
            return inputs
        labels = {
            name: values[name]
            if values[name].dtype.is_floating
            else tf.cast(values[name], tf.int64)
            for name in spec.labels
        }
        return inputs, next(iter(labels.values())) if len(labels) == 1 else labels

    return parse


def _decoded(value: tf.Tensor, feature: Feature) -> tf.Tensor:
    if feature.kind != "bytes" or feature.is_image:
        return value
    return tf.reshape(tf.io.decode_raw(value, tf.as_dtype(feature.decode)), feature.shape)


def _first_record(file: Path) -> dict[str, tuple[str, Any]]:
    """The kinds and values of the features in a file's first record."""
    try:
        content = next(iter(_records([file]).take(1).as_numpy_iterator()), None)
        if content is None:
            raise InputError(f"data {file} holds no records: write at least one")
        example = tf.train.Example.FromString(content)
    except tf.errors.OpError as error:
        raise InputError(
            f"data {file} is damaged or not a TFRecord file ({first_line(error.message)}): write "
            f"or copy it again"
        ) from error
    except DecodeError as error:
        raise InputError(
            f"data {file}: its records are not tf.train.Example: write it in that form"
        ) from error
    stored = {}
    for key, feature in sorted(example.features.feature.items()):
        kind = (feature.WhichOneof("kind") or "bytes_list").removesuffix("_list")
        stored[key] = (kind, list(getattr(feature, f"{kind}_list").value))
    return stored


def _check_lengths(file: Path) -> None:
    """Follows the lengths of the first records: TensorFlow allocates whatever they say.

    Raises:
        InputError: a record is longer than the file.
    """
    if file.suffix == ".gz":  # unpacked piece by piece
        return
    try:
        size, at = file.stat().st_size, 0
        with file.open("rb") as stream:
            for _ in range(_MOST_CHECKED):
                head = stream.read(_HEAD_BYTES)
                if len(head) < _HEAD_BYTES:
                    return
                length = int.from_bytes(head[:8], "little")
                at += _HEAD_BYTES + length + _TAIL_BYTES
                if length > size:
                    raise InputError(
                        f"data {file} is damaged or not a TFRecord file (a record of {length:,} "
                        f"bytes does not fit): write or copy it again"
                    )
                stream.seek(at)
    except OSError as error:
        raise InputError(f"cannot read data {file}: {error.strerror or error}") from error


def _described(stored: dict[str, tuple[str, Any]]) -> str:
    described = [
        f"{key!r} ({kind}, {len(values[0]) if kind == 'bytes' and values else len(values)} "
        f"{'bytes' if kind == 'bytes' else 'numbers'})"
        for key, (kind, values) in stored.items()
    ]
    return ", ".join(described) or "no features"


def _suggested(stored: dict[str, tuple[str, Any]]) -> str:
    """An inline specification for what a record looks like."""
    items = []
    for key, (kind, values) in stored.items():
        if kind == "bytes":
            head = values[0][:8] if values else b""
            png, jpeg = head.startswith(b"\x89PNG"), head.startswith(b"\xff\xd8")
            items.append(f"{key}:bytes:{'png' if png else 'jpeg' if jpeg else 'uint8:HxWxC'}")
        else:
            items.append(f"{key}:{kind}" + (f":{len(values)}" if len(values) != 1 else ""))
    return ",".join(items) or "image:bytes:png,label:int64"
