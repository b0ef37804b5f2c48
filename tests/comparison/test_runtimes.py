import pytest
import tf_keras

from tests.packing.packed_files import with_channel_scales
from tests.runtime.runtime_files import (
    crashing_file,
    custom_file,
    int8_dense_file,
    named_dense_file,
    relu_file,
)
from tflite_squeeze.comparison.record import Compare
from tflite_squeeze.comparison.runtimes import RUNTIMES, figures_on
from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.larq import larq_file
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize

QUICK = Compare(turns=3)


@pytest.mark.slow
def test_files_with_other_inputs_side_by_side() -> None:
    found = figures_on("litert", {"a": named_dense_file(), "b": relu_file((1, 64, 64))}, QUICK)
    assert found["a"].arena_bytes is not None
    assert found["b"].arena_bytes is not None
    assert found["b"].arena_bytes >= 2 * 4 * 64 * 64 > found["a"].arena_bytes
    ratio = found["b"].latency_ratio
    assert ratio is not None
    assert 0 < ratio.low <= ratio.value <= ratio.high
    assert found["a"].latency_ratio is not None
    assert found["a"].latency_ratio.value == 1


def test_a_larger_file_of_the_same_kind_takes_longer() -> None:
    small, large = with_channel_scales(8, exact=True), with_channel_scales(4096, exact=True)
    times = turn_by_turn({"small": small, "large": large}, turns=3, threads=2)
    assert float((times["large"] / times["small"]).min()) > 1.5


@pytest.mark.own_process
def test_a_file_that_crashes_or_is_not_supported_is_told_and_the_others_measured() -> None:
    files = {"crash": crashing_file(), "good": named_dense_file(), "custom": custom_file("Mine")}
    found = figures_on("litert", files, QUICK)
    assert "SIG" in found["crash"].unavailable
    assert "Mine" in found["custom"].unavailable
    assert found["good"].latency_us is not None
    assert found["good"].latency_ratio is None  # the first does not run
    assert figures_on("litert", {"crash": crashing_file()}, QUICK)["crash"].latency_us is None


def test_microcontrollers() -> None:
    files = {"a": int8_dense_file(), "custom": custom_file("Mine")}
    found = figures_on("micro", files, QUICK)
    assert found["a"].flash_bytes == len(files["a"])
    assert found["a"].arena_bytes
    assert found["a"].latency_us is None
    assert found["custom"].unavailable


def test_an_npu_estimates_times_without_an_interval() -> None:
    files = {"a": int8_dense_file(), "b": with_channel_scales(512, exact=True)}
    found = figures_on("ethos-u55-128", files, QUICK)
    ratio = found["b"].latency_ratio
    assert ratio is not None
    assert ratio.low == ratio.value == ratio.high > 1
    assert found["a"].flash_bytes != len(files["a"])
    refused = figures_on("ethos-u55-128", {"a": named_dense_file()}, QUICK)["a"]
    assert "int8" in refused.unavailable


def test_every_runtime_has_a_name() -> None:
    assert tuple(RUNTIMES) == ("litert", "larq", "micro", *ETHOS_U)


@pytest.mark.slow
def test_larq_runs_files_that_litert_lacks_operators_for() -> None:
    layers = tf_keras.layers
    parts = [layers.Dense(32, name="a"), layers.Dense(32, name="b"), layers.Dense(3, name="c")]
    model = tf_keras.Sequential([tf_keras.Input((32,), name="x"), *parts])
    binary = larq_file(binarize(model, Binarize()).model, Chatter())[0]
    files = {"binary": binary, "dense": named_dense_file()}
    found = figures_on("larq", files, QUICK)
    assert found["binary"].latency_ratio is not None
    assert found["dense"].latency_us is not None
    assert "Lce" in figures_on("litert", files, QUICK)["binary"].unavailable
