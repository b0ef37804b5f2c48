"""The metadata schema: bytes and back, and damage."""

import struct

import pytest

from tflite_squeeze.android.metadata_schema import decoded, encoded
from tflite_squeeze.errors import InputError

WHOLE = {
    "name": "pets",
    "description": "cats and dogs",
    "version": "1",
    "subgraph_metadata": [
        {
            "input_tensor_metadata": [
                {
                    "name": "image",
                    "content": {
                        "content_properties": (
                            "ImageProperties",
                            {"color_space": 1, "default_size": {"width": 3, "height": 4}},
                        )
                    },
                    "process_units": [
                        {"options": ("NormalizationOptions", {"mean": [0.5, 1.0], "std": [2.0]})}
                    ],
                }
            ],
            "output_tensor_metadata": [
                {
                    "name": "scores",
                    "dimension_names": ["batch", "class"],
                    "content": {"content_properties": ("FeatureProperties", {})},
                    "stats": {"max": [1.0], "min": [0.0]},
                    "associated_files": [{"name": "labels.txt", "type": 2, "locale": "en"}],
                }
            ],
        }
    ],
    "min_parser_version": "1.0.0",
}


def test_what_is_written_is_read() -> None:
    assert decoded(encoded(WHOLE)) == WHOLE
    assert encoded(WHOLE) == encoded(WHOLE)
    assert decoded(encoded({})) == {}


def test_fields_lie_where_the_schema_has_them() -> None:
    """Read by hand: root offset, table, vtable; the name is field 0, the version field 2."""
    content = encoded({"name": "ab", "version": "7"})
    assert content[4:8] == b"M001"
    (root,) = struct.unpack_from("<I", content)
    (back,) = struct.unpack_from("<i", content, root)
    vtable = root - back
    fields = struct.unpack_from("<3H", content, vtable + 4)
    texts = []
    for field in (fields[0], fields[2]):
        (offset,) = struct.unpack_from("<I", content, root + field)
        at = root + field + offset
        (length,) = struct.unpack_from("<I", content, at)
        texts.append(content[at + 4 : at + 4 + length])
    assert texts == [b"ab", b"7"]
    assert fields[1] == 0


def test_a_field_that_the_schema_lacks_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="no field nmae"):
        encoded({"nmae": "x"})


def test_other_bytes_are_refused() -> None:
    with pytest.raises(InputError, match="no identifier M001"):
        decoded(b"\x00" * 64)


def test_damage_is_an_error_and_never_endless() -> None:
    content = encoded(WHOLE)
    found = 0
    for at in range(8, len(content)):
        for value in (0x00, 0x7F, 0xFF):
            damaged = bytearray(content)
            damaged[at] = value
            try:
                decoded(bytes(damaged))
            except InputError:
                found += 1
    assert found > 50
    with pytest.raises(InputError, match="damaged"):
        decoded(content[: len(content) // 2])
