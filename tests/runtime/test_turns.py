"""Files in turns."""

import pytest

from tests.emission.sparse.sparse_files import convolution, dense_chain
from tflite_squeeze.runtime.turns import in_turns


@pytest.mark.own_process
@pytest.mark.slow
def test_the_larger_file_takes_longer() -> None:
    times = in_turns({"one": dense_chain(), "same": dense_chain(), "many": dense_chain(batch=1)})
    assert set(times) == {"one", "same", "many"}
    assert all(time > 0 for time in times.values())
    assert in_turns({"convolution": convolution()})["convolution"] > 0
