"""TFRecord: the feature specification, parts, and that nothing is read beyond what is asked."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.tfrecord import read_features
from tflite_squeeze.errors import InputError, UsageError

INLINE = "image:bytes:png,label:int64"
MODEL = {"in": tf.TensorSpec((None, 4, 4, 1), tf.float32)}


def feature(value: object) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    values = np.ravel(value)
    if values.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write(path: Path, *examples: dict[str, object], gzip: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if gzip else None) as writer:
        for example in examples:
            features = {key: feature(value) for key, value in example.items()}
            record = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(record.SerializeToString())
    return path


def pictures(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "image": tf.io.encode_png(np.full((4, 4, 1), index, np.uint8)).numpy(),
            "label": index % 3,
        }
        for index in range(start, start + count)
    ]


def test_encoded_images_and_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "set.tfrecord", *pictures(5))
    data = load_data(path, features=INLINE).fitted_to(MODEL)
    sample = data.sample("train", None)
    assert sample.inputs["in"][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert sample.labels.tolist() == [0, 1, 2, 0, 1]
    assert data.describe()["examples"] == {"train": None, "validation": None}
    assert "input 'in' takes the data's 'image'" in data.notes


def test_raw_bytes_and_number_lists(tmp_path: Path) -> None:
    path = write(
        tmp_path / "set.tfrecord",
        {"raw": np.arange(6, dtype=np.uint8).tobytes(), "sensor": np.arange(4.0), "ids": [7, 8]},
    )
    data = load_data(path, features="raw:bytes:uint8:2x3,sensor:float:2x2,ids:int64:2")
    assert not data.labelled
    inputs = data.sample("train", 1).inputs
    assert inputs["raw"].tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert inputs["sensor"].tolist() == [[[0.0, 1.0], [2.0, 3.0]]]
    assert inputs["ids"].tolist() == [[7, 8]]


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_specification_file_renames_and_says_the_preprocessing(tmp_path, suffix) -> None:
    path = write(tmp_path / "set.tfrecord", {"image/raw": bytes([255, 0]), "image/class": 1})
    spec = {
        "inputs": {"x": {"key": "image/raw", "kind": "bytes", "decode": "uint8", "shape": [2]}},
        "labels": {"label": {"key": "image/class", "kind": "int64"}},
        "class_names": ["off", "on"],
        "preprocessing": {"scale": "1/255"},
    }
    file = tmp_path / f"features{suffix}"
    file.write_text(json.dumps(spec))  # JSON is YAML too
    data = load_data(path, features=str(file))
    assert data.class_names == ("off", "on")
    assert data.sample("train", 1).inputs["x"].tolist() == [[1.0, 0.0]]


def test_folder_glob_gzip_and_parts(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tfrecord", *pictures(2))
    write(tmp_path / "train-1.tfrecord.gz", *pictures(2, 2), gzip=True)
    write(tmp_path / "test" / "0.tfrecord", *pictures(1, 9))
    data = load_data(tmp_path, features=INLINE).fitted_to(MODEL)
    assert data.sample("train", None).count == 4
    assert data.sample("validation", None).inputs["in"].max() == 9
    globbed = load_data(str(tmp_path / "train-*"), features=INLINE)
    assert globbed.sample("train", None).count == 4
    assert any("no test part" in note for note in globbed.notes)


@pytest.mark.slow
def test_only_as_many_records_are_read_as_were_asked_for(tmp_path: Path) -> None:
    """A file whose tail is cut off can be sampled, so its end was never looked at."""
    path = write(tmp_path / "set.tfrecord", *pictures(20_000))
    path.write_bytes(path.read_bytes()[:-7])
    data = load_data(path, features=INLINE).fitted_to(MODEL)
    assert data.sample("train", 100).count == 100
    with pytest.raises(InputError, match="cannot be read"):
        data.sample("train", None)


def test_missing_specification_says_what_the_record_holds_and_what_to_pass(tmp_path: Path) -> None:
    path = write(tmp_path / "set.tfrecord", *pictures(1))
    with pytest.raises(InputError) as caught:
        load_data(path)
    message = str(caught.value)
    assert "'image' (bytes, " in message
    assert "'label' (int64, 1 numbers)" in message
    suggested = message.partition("e.g. ")[2]
    assert load_data(path, features=suggested).labelled


def test_specification_that_the_record_contradicts_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "set.tfrecord", *pictures(1))
    for wrong in ("picture:bytes:png", "image:bytes:png,label:float"):
        with pytest.raises(InputError, match="the first record holds 'image'"):
            load_data(path, features=wrong)
    with pytest.raises(InputError, match="cannot be read"):
        load_data(path, features="image:bytes:uint8:28x28")
    with pytest.raises(InputError, match="cannot be read"):
        load_data(path, features="label:int64,image:bytes:png,y:int64:2".replace("y:", "label:"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image", "not name:kind"),
        ("image:bytes:png:2:3", "not name:kind"),
        ("image:text", "inputs.image.kind"),
        ("image:bytes", "bytes need decode"),
        ("image:bytes:tiff", "inputs.image.decode"),
        ("image:int64:png", "decode is for bytes"),
        ("image:bytes:png:28x28", "leave the shape out"),
        ("x:float:0x2", "must be positive"),
        ("label:int64", "name no input"),
        ("nowhere.yaml", "does not exist"),
    ],
)
def test_unusable_specifications_are_refused_in_one_line(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_features(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["inputs: [", "inputs: 3", "[]", ""])
def test_unusable_specification_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "features.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match="features"):
        read_features(path)


def test_damaged_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.tfrecord"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds no records"):
        load_data(path, features=INLINE)
    path.write_bytes(b"no records at all, but long enough to look like some")
    with pytest.raises(InputError, match="damaged or not a TFRecord"):
        load_data(path, features=INLINE)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff\xff not an example")
    with pytest.raises(InputError, match=r"not tf\.train\.Example"):
        load_data(path, features=INLINE)


def test_features_without_tfrecord_are_refused() -> None:
    with pytest.raises(UsageError, match="is for TFRecord files"):
        load_data(np.zeros((2, 2)), features=INLINE)


def test_a_record_longer_than_the_file_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "set.tfrecord", *pictures(2))
    path.write_bytes(path.read_bytes() + (2**40).to_bytes(8, "little") + bytes(90))
    with pytest.raises(InputError, match=r"a record of 1,099,511,627,776 bytes does not fit"):
        load_data(path, features=INLINE)


@pytest.mark.parametrize("text", ["[" * 3000, "inputs: !!bool maybe", "x: !!timestamp y"])
def test_features_that_yaml_takes_for_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(InputError, match="cannot be parsed") as caught:
        read_features(tmp_path / "f.yaml")
    assert "\n" not in str(caught.value)
