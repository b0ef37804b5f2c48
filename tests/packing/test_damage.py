"""Damaged packed files: one clear error, whatever is wrong with them."""

import hashlib
import lzma
import random
import struct

import pytest

from tests.packing.packed_files import FILES
from tflite_squeeze.errors import InputError
from tflite_squeeze.packing.pack import pack, unpack

pytestmark = pytest.mark.slow

_MUTATIONS = 400
_HEAD_BYTES = 48


def _mutated(data: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, repeats or replaces something, once or a few times."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not changed:
            break
        at, kind = rng.randrange(len(changed)), rng.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = changed[at // 2 : at]
        else:
            changed[at : at + 4] = struct.pack("<I", rng.choice([0, 1, 2**31, 2**32 - 1, 70_000]))
    return bytes(changed)


def _refused(packed: bytes) -> str:
    with pytest.raises(InputError) as error:
        unpack(packed)
    return str(error.value)


@pytest.mark.parametrize("name", ["int8", "sparse float32"])
def test_mutated_files_raise_one_error(name: str) -> None:
    packed = pack(FILES[name])
    for seed in range(_MUTATIONS):
        damaged = _mutated(packed, random.Random(seed))
        if damaged != packed:
            assert _refused(damaged).count("\n") == 0


def _taken_apart(packed: bytes) -> tuple[bytes, bytes, bytes]:
    """The numbers that say how to read, the rest of the file, plain bytes and codes."""
    size, count = struct.unpack("<2I", packed[40:_HEAD_BYTES])
    frame = lzma.decompress(packed[_HEAD_BYTES:][:size])
    return frame[: 4 * count], frame[4 * count :], packed[_HEAD_BYTES + size :]


def _put_together(packed: bytes, numbers: bytes, rest: bytes, data: bytes) -> bytes:
    """A packed file whose first check holds."""
    frame = lzma.compress(numbers + rest, lzma.FORMAT_ALONE)
    sizes = struct.pack("<2I", len(frame), len(numbers) // 4)
    body = packed[8:40] + sizes + frame + data
    return b"SQZ1" + hashlib.sha256(body).digest()[:4] + body


@pytest.mark.parametrize("name", ["convolution", "sparse int8", "products", "few values"])
def test_mutations_that_pass_the_first_check_raise_one_error(name: str) -> None:
    """What the reader does with wrong numbers, when the sum over the packed bytes is right."""
    packed, refused = pack(FILES[name]), 0
    numbers, rest, data = _taken_apart(packed)
    # the negative control: what is refused below is refused for its mutation
    assert unpack(_put_together(packed, numbers, rest, data)) == FILES[name]
    for seed in range(100):
        rng = random.Random(seed)
        if seed % 2:
            damaged = _put_together(packed, _mutated(numbers, rng), rest, data)
        else:
            damaged = _put_together(packed, numbers, rest, _mutated(data, rng))
        try:
            # Some numbers do not matter, such as the row length of a single row.
            assert unpack(damaged) == FILES[name]
        except InputError:
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("packed", [b"", b"SQZ1", b"SQZ1" + bytes(60), FILES["int8"]])
def test_what_is_no_packed_file_is_refused(packed: bytes) -> None:
    assert "not a .tflite.sqz file" in _refused(packed)


def _claiming(numbers: list[int], data: bytes = b"", frame: bytes | None = None) -> bytes:
    """A packed file with a sum that is right."""
    frame = frame or lzma.compress(struct.pack(f"<{len(numbers)}I", *numbers), lzma.FORMAT_ALONE)
    body = bytes(32) + struct.pack("<2I", len(frame), len(numbers)) + frame + data
    return b"SQZ1" + hashlib.sha256(body).digest()[:4] + body


@pytest.mark.parametrize(
    "numbers",
    [
        [2**32 - 1, 0, 1, 0, 3_900_000_000, 1, 0, 1, 0, 3, 0, 0, 0, 0],
        [2**32 - 1, 0, 1, 0, 3_900_000_000, 1, 0, 0, 0, 3, 0, 0, 0, 0],
        [2**32 - 1, 0, 1, 0, 0, 1, 4, 3_900_000_000, 1, 7],
        [2**32 - 1, 0, 900, *[0, 2_000_000, 1, 0, 1, 0, 1, 128, 0, 0, 0] * 900],
    ],
)
def test_claims_beyond_the_size_of_the_file_cost_nothing(numbers: list[int]) -> None:
    assert "not a .tflite.sqz file" in _refused(_claiming(numbers, bytes(400)))


def test_a_frame_that_unpacks_to_far_more_is_cut_short() -> None:
    packer = lzma.LZMACompressor(lzma.FORMAT_ALONE)
    parts = [packer.compress(struct.pack("<2I", 1, 0))]
    parts += [packer.compress(bytes(2**20)) for _ in range(100)]
    frame = b"".join([*parts, packer.flush()])
    assert "not a .tflite.sqz file" in _refused(_claiming([1, 0], frame=frame))
