"""What this converter writes into a file about where it comes from."""

import json
from typing import Any

from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.flatbuffer import metadata_of, with_metadata

METADATA_KEY = "tflite_squeeze"


def facts_of(tflite: bytes) -> dict[str, Any]:
    """The facts in a file.

    Args:
        tflite: the file's content.

    Returns:
        name, version, labels, source_sha256, quantize, weights where they are "int2" or "int4"
        and, where values were scaled on their way to the model, preprocessing; nothing for a file
        of another converter.

    Raises:
        InputError: the file or its facts are damaged.

    Example:
        >>> facts_of(tflite)["labels"]
        ['cat', 'dog']
    """
    content = metadata_of(tflite).get(METADATA_KEY)
    if content is None:
        return {}
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise InputError(
            f"the file's metadata {METADATA_KEY} is no JSON ({error}): convert the model again"
        ) from error
    if not isinstance(facts, dict):
        raise InputError(f"the file's metadata {METADATA_KEY} is no object: convert it again")
    return facts


def with_facts(tflite: bytes, **facts: Any) -> bytes:
    """A file with facts added, or replaced where it has them.

    No time may be among them, so that the same input gives the same bytes.

    Args:
        tflite: the file's content.
        facts: anything that JSON can hold.

    Raises:
        InputError: the file is damaged.
    """
    merged = {**facts_of(tflite), **facts}
    text = json.dumps(merged, sort_keys=True, ensure_ascii=False)
    return with_metadata(tflite, {METADATA_KEY: text.encode()})
