from itertools import pairwise

import numpy as np

from tests.runtime.runtime_files import relu_file
from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.runtime.memory import (
    covered_bytes,
    forget_peak,
    memory_job,
    peak_bytes,
    resident_bytes,
)

REQUEST = {"signature": None, "threads": 1, "seed": 0}


def arena(tmp_path, tflite: bytes) -> int:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite)
    return memory_job(path, REQUEST, {})[0]["arena_bytes"]


def test_covered_bytes_by_hand() -> None:
    assert covered_bytes([]) == 0
    assert covered_bytes([(0, 10), (5, 20), (30, 32)]) == 22
    assert covered_bytes([(30, 32), (0, 100), (10, 20)]) == 100
    assert covered_bytes([(0, 10), (10, 20)]) == 20
    assert covered_bytes([(0, 10), (64, 65)], alignment=64) == 128


def test_constants_are_not_in_the_arena(tmp_path) -> None:
    # x of 12 bytes and y of 8, each rounded up to 64; 32 bytes of weights stay in the file.
    assert arena(tmp_path, dense_file()) == 128


def test_tensors_that_do_not_live_at_once_share_their_memory(tmp_path) -> None:
    maker = FileMaker()
    tensors = [maker.tensor(f"t{index}", (1, 1024)) for index in range(6)]
    for source, target in pairwise(tensors):
        maker.operator("RELU", [source], [target])
    assert arena(tmp_path, maker.file(tensors[:1], tensors[-1:])) <= 3 * 4096


def test_a_larger_tensor_takes_more(tmp_path) -> None:
    small, large = (arena(tmp_path, relu_file((1, size))) for size in (1024, 4096))
    assert (small, large) in ((8192, 32768), (4096, 16384))  # beside each other, or in place


def test_the_peak_begins_anew() -> None:
    block = np.ones(64 << 17)  # 64 MiB
    assert peak_bytes() >= block.nbytes
    del block
    forget_peak()
    assert abs(peak_bytes() - resident_bytes()) < 32 << 20
