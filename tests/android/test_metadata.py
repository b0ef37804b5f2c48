"""TFLite metadata in a file, read by this project, by hand and by the task libraries."""

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.android import android_tools as tools
from tests.android.android_files import RGB, image_file
from tests.runtime.runtime_files import named_dense_file
from tests.tiny_files import dense_file
from tflite_squeeze.android.metadata import (
    ModelAbout,
    TensorAbout,
    read_model_metadata,
    table_of,
    with_model_metadata,
)
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.tflite.flatbuffer import metadata_of, read_model, with_metadata

ABOUT = ModelAbout(
    name="colours",
    description="which colour",
    version="3",
    inputs=(TensorAbout(name="image", shape=(1, 2, 2, 3), image=True, preprocessing=RGB),),
    outputs=(TensorAbout(name="y", shape=(1, 3), labels_file="labels.txt"),),
)
LABELS = b"red\ngreen\nblue\n"


def coloured() -> bytes:
    return with_model_metadata(image_file(), table_of(ABOUT), {"labels.txt": LABELS})


def without_empty(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in one.items() if value != ""} for one in tables]


def test_it_is_read_back() -> None:
    found = read_model_metadata(coloured())
    assert found is not None
    (read,), (written,) = (one["subgraph_metadata"] for one in (found.fields, table_of(ABOUT)))
    assert (found.fields["name"], found.fields["min_parser_version"]) == ("colours", "1.0.0")
    assert read["output_tensor_metadata"] == without_empty(written["output_tensor_metadata"])
    assert (
        read["input_tensor_metadata"][0]["content"]
        == (written["input_tensor_metadata"][0]["content"])
    )
    assert found.files == {"labels.txt": LABELS}
    assert found.labels() == ("red", "green", "blue")
    assert read_model_metadata(image_file()) is None


def test_normalisation_is_that_of_raw_values() -> None:
    """(x / 255 - 0.5) / 0.5 is (x - 127.5) / 127.5."""
    options = table_of(ABOUT)["subgraph_metadata"][0]["input_tensor_metadata"][0]["process_units"]
    (kind, fields) = options[0]["options"]
    assert kind == "NormalizationOptions"
    assert fields["mean"] == pytest.approx([127.5, 63.75, 0])
    assert fields["std"] == pytest.approx([127.5, 255, 510])
    plain = TensorAbout(name="x", shape=(1, 3), preprocessing=Preprocessing(scale=0.5, mean=2))
    about = ModelAbout(name="m", description="", version="", inputs=(plain,), outputs=())
    unit = table_of(about)["subgraph_metadata"][0]["input_tensor_metadata"][0]["process_units"][0]
    assert unit["options"] == ("NormalizationOptions", {"mean": [4.0], "std": [2.0]})


def test_the_model_answers_as_before_and_equal_input_gives_equal_bytes() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    before, after = (run_cases(one, [{"image": x}])[0] for one in (image_file(), coloured()))
    np.testing.assert_array_equal(after["y"], before["y"])
    assert coloured() == coloured()


def test_the_archive_is_found_as_the_java_library_finds_it() -> None:
    """End record last and without comment; offsets from the start of the file; nothing packed."""
    content = coloured()
    end = content[-22:]
    assert end[:4] == b"PK\x05\x06"
    entries, directory = struct.unpack("<H", end[10:12])[0], struct.unpack("<I", end[16:20])[0]
    assert entries == 1
    assert content[directory : directory + 4] == b"PK\x01\x02"
    method, size = (
        struct.unpack_from("<H", content, directory + 10)[0],
        struct.unpack_from("<I", content, directory + 20)[0],
    )
    (header,) = struct.unpack_from("<I", content, directory + 42)
    name_length, extra_length = struct.unpack_from("<2H", content, header + 26)
    start = header + 30 + name_length + extra_length
    assert (method, content[start : start + size]) == (0, LABELS)


def test_metadata_are_replaced_and_others_stay() -> None:
    told = with_metadata(dense_file(), {"recipe": b"mine"})
    first = with_model_metadata(told, {"name": "a"}, {"a.txt": b"a"})
    second = with_model_metadata(first, {"name": "b"}, {})
    assert metadata_of(second)["recipe"] == b"mine"
    found = read_model_metadata(second)
    assert found is not None
    assert (found.fields, found.files, found.labels()) == ({"name": "b"}, {}, ())


def test_damaged_metadata_are_refused() -> None:
    broken = with_metadata(dense_file(), {"TFLITE_METADATA": b"nothing at all"})
    with pytest.raises(InputError, match="no identifier M001"):
        read_model_metadata(broken)
    content = bytearray(coloured())
    at = content.rindex(LABELS)
    content[at] ^= 1
    with pytest.raises(InputError, match="files appended to the model cannot be read"):
        read_model_metadata(bytes(content))


_READER = """
import json, sys
import numpy as np
from tflite_support import metadata
from tflite_support.task import core, processor, vision

path, labelled = sys.argv[1:]
shown = metadata.MetadataDisplayer.with_model_file(path)
found = {
    "json": json.loads(shown.get_metadata_json()),
    "files": list(shown.get_packed_associated_file_list()),
    "labels": shown.get_associated_file_buffer(labelled).decode(),
}
classifier = vision.ImageClassifier.create_from_file(path)
image = vision.TensorImage.create_from_array(
    np.array([[[255, 0, 0], [0, 0, 0]], [[0, 153, 0], [0, 0, 102]]], np.uint8)
)
(answer,) = classifier.classify(image).classifications
found["answer"] = [[one.category_name, one.score] for one in answer.categories]
print(json.dumps(found))
"""


@tools.needed(tools.missing_task_library())
def test_the_task_library_classifies_with_it(tmp_path: Path) -> None:
    """TensorFlow's own reader, and its image classifier: it scales the image as told."""
    (tmp_path / "m.tflite").write_bytes(coloured())
    done = subprocess.run(
        [sys.executable, "-S", "-c", _READER, tmp_path / "m.tflite", "labels.txt"],
        env={**os.environ, "PYTHONPATH": str(tools.TASK_LIBRARY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["files"] == ["labels.txt"]
    assert found["labels"] == LABELS.decode()
    assert (found["json"]["name"], found["json"]["version"]) == ("colours", "3")
    (subgraph,) = found["json"]["subgraph_metadata"]
    (image,) = subgraph["input_tensor_metadata"]
    assert image["content"]["content_properties"] == {
        "color_space": "RGB",
        "default_size": {"width": 2, "height": 2},
    }
    assert image["process_units"][0]["options"]["std"] == [127.5, 255.0, 510.0]
    # The largest of each channel, (x / 255 - mean) / std: 1; 0.6 - 0.25; 0.4 / 2.
    assert dict(found["answer"]) == pytest.approx({"red": 1, "green": 0.35, "blue": 0.2}, abs=1e-6)


def test_a_reader_of_archives_finds_the_labels(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(coloured())
    with zipfile.ZipFile(tmp_path / "m.tflite") as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == LABELS


def test_signatures_and_tensors_stay() -> None:
    before, after = (
        read_model(named_dense_file()),
        read_model(with_model_metadata(named_dense_file(), {"name": "m"}, {"l.txt": b"l"})),
    )
    assert after.signatureDefs[0].signatureKey == before.signatureDefs[0].signatureKey
    assert len(after.subgraphs[0].tensors) == len(before.subgraphs[0].tensors)
