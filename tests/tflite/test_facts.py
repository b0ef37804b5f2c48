"""What the converter writes into a file about it."""

import pytest

from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.flatbuffer import metadata_of, with_metadata
from tflite_squeeze.tflite.tidy import METADATA_KEY, facts_of, with_facts


def test_facts_are_added_and_replaced() -> None:
    assert facts_of(dense_file()) == {}
    first = with_facts(dense_file(), name="a", labels=["é"])
    second = with_facts(first, name="b", preprocessing={"scale": 0.5})
    assert facts_of(second) == {"name": "b", "labels": ["é"], "preprocessing": {"scale": 0.5}}
    assert list(metadata_of(second)) == [METADATA_KEY]
    assert with_facts(dense_file(), name="a", labels=["é"]) == first


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="tflite_squeeze is no"):
        facts_of(with_metadata(dense_file(), {METADATA_KEY: content}))
