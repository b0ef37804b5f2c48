"""Damaged packed files: one clear error, whatever is wrong with them."""

import random
import struct

import pytest

from tests.packing.packed_files import FILES
from tflite_squeeze.errors import InputError
from tflite_squeeze.packing.pack import pack, unpack

pytestmark = pytest.mark.slow

_MUTATIONS = 100


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


@pytest.mark.parametrize("name", ["int8", "products", "few values"])
def test_mutated_files_raise_one_error(name: str) -> None:
    packed = pack(FILES[name])
    for seed in range(_MUTATIONS):
        damaged = _mutated(packed, random.Random(seed))
        if damaged != packed:
            assert _refused(damaged).count("\n") == 0


@pytest.mark.parametrize(
    "packed", [b"", b"SQZ1", b"SQZ1" + bytes(60), b"SQZ2", b"SQZ2" + bytes(8), FILES["int8"]]
)
def test_what_is_no_packed_file_is_refused(packed: bytes) -> None:
    assert "not a .tflite.sqz file" in _refused(packed)


def _claiming(size: int, codes: bytes) -> bytes:
    """A packed file that says how large it unpacks."""
    parts = bytearray()
    while size > 127:
        parts.append(size & 127 | 128)
        size >>= 7
    return b"SQZ2" + bytes(8) + bytes([*parts, size]) + codes


@pytest.mark.parametrize("size", [2**21, 2**31, 2**34])
@pytest.mark.parametrize("codes", [b"", bytes(400), b"\xff" * 400])
def test_claims_beyond_the_size_of_the_file_cost_nothing(size: int, codes: bytes) -> None:
    assert "not a .tflite.sqz file" in _refused(_claiming(size, codes))
