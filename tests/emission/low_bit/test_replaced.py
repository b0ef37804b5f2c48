"""Dense weights in place of those that the converter wrote, against the integers by hand."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from tests.emission.low_bit.integer_layers import integer_layer
from tests.tiny_files import FileMaker, quantization
from tflite_squeeze.emission.low_bit.narrowed import narrowed
from tflite_squeeze.emission.low_bit.replaced import Replacement, with_weights
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.quantization_plan import plan_of
from tflite_squeeze.tflite.tensor_values import tensor_values

OUTPUTS, INPUTS = 6, 64


def random_codes(seed: int, largest: int = 127) -> NDArray[np.int8]:
    generator = np.random.default_rng(seed)
    return generator.integers(-largest, largest + 1, (OUTPUTS, INPUTS)).astype(np.int8)


def replacement(seed: int, largest: int = 7, *, written: int = 0, offset: float = 0) -> Replacement:
    generator = np.random.default_rng(seed)
    return Replacement(
        written=random_codes(written),
        codes=random_codes(seed, largest),
        scales=generator.uniform(0.01, 0.03, OUTPUTS).astype(np.float32),
        bias=generator.normal(size=OUTPUTS) + offset,
    )


def run(tflite: bytes, x: NDArray[np.int8]) -> list[NDArray[np.int8]]:
    """What XNNPACK and the built-in kernels answer."""
    answers = []
    for kind in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        interpreter = Interpreter(model_content=tflite, experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
        (source,) = interpreter.get_input_details()
        rows = []
        for row in x:
            interpreter.set_tensor(source["index"], row[None].astype(source["dtype"]))
            interpreter.invoke()
            outputs = interpreter.get_output_details()
            rows.append(np.concatenate([interpreter.get_tensor(o["index"])[0] for o in outputs]))
        answers.append(np.stack(rows))
    return answers


def by_hand(new: Replacement, x: NDArray[np.int8]) -> NDArray[np.float64]:
    """The layer of `integer_layer`: inputs in steps of 0.05 around -3, outputs of 0.03 around 3."""
    steps = 0.05 * new.scales.astype(np.float64)
    bias = 0 if new.bias is None else np.rint(new.bias / steps)
    sums = (x.astype(np.int64) + 3) @ new.codes.T.astype(np.int64) + bias
    return np.clip(np.rint(sums * steps / 0.03) + 3, -128, 127)


X = np.random.default_rng(9).integers(-100, 100, (20, INPUTS)).astype(np.int8)


@pytest.mark.parametrize("largest", [7, 127])
@pytest.mark.parametrize("per_channel", [True, False])
def test_the_runtime_computes_what_the_new_integers_say(largest: int, per_channel: bool) -> None:
    before = integer_layer("FULLY_CONNECTED", random_codes(0), per_channel=per_channel)
    new = replacement(1, largest)
    after = with_weights(before, [new])
    (weight,) = plan_of(after).weights.values()
    assert weight.axis == 0
    np.testing.assert_array_equal(np.float32(weight.scale), new.scales)
    smaller, records = narrowed(after)
    assert [one.stored for one in records] == (["int4"] if largest == 7 else [])
    expected = by_hand(new, X)
    assert np.ptp(expected) > 100
    for found in (*run(after, X), *run(smaller, X)):
        assert np.abs(found - expected).max() <= 1
    # The old file computes something else.
    assert np.abs(run(before, X)[0] - expected).max() > 20


def test_the_bias_of_the_file_stays_without_another() -> None:
    before = integer_layer("FULLY_CONNECTED", random_codes(0), bias=np.arange(OUTPUTS) * 1000)
    new = replacement(1)
    kept = Replacement(written=new.written, codes=new.codes, scales=new.scales)
    scales = np.linspace(0.01, 0.02, OUTPUTS).astype(np.float32)
    same = Replacement(
        written=new.written,
        codes=new.codes,
        scales=new.scales,
        bias=np.arange(OUTPUTS) * 1000 * 0.05 * scales.astype(np.float64),
    )
    expected = by_hand(same, X)
    assert np.abs(run(with_weights(before, [kept]), X)[0] - expected).max() <= 1


def layers(*seeds: int, biases: bool = True, shared: bool = False) -> bytes:
    """Layers beside each other that all read x; each puts out 6 numbers."""
    maker = FileMaker()
    x = maker.tensor("x", (1, INPUTS), "int8", quantization=quantization([0.05], [-3]))
    outputs, w = [], -1
    for at, seed in enumerate(seeds):
        if w < 0 or not shared:
            about = quantization([0.01])
            w = maker.tensor(f"w{at}", (OUTPUTS, INPUTS), "int8", data=random_codes(seed),
                             quantization=about)  # fmt: skip
        b = -1
        if biases:
            about = quantization([0.0005])
            values = np.full(OUTPUTS, 2000 * at, np.int32)
            b = maker.tensor(f"b{at}", (OUTPUTS,), "int32", data=values, quantization=about)
        y = maker.tensor(f"y{at}", (1, OUTPUTS), "int8", quantization=quantization([0.03], [3]))
        maker.operator(
            "FULLY_CONNECTED", [x, w, b], [y], schema.FullyConnectedOptionsT(), version=6
        )
        outputs.append(y)
    return maker.file([x], outputs)


def test_biases_tell_equal_weights_apart() -> None:
    first, second = replacement(1), replacement(2, offset=1)  # near 0 and near 1
    expected = np.concatenate([by_hand(first, X), by_hand(second, X)], axis=1)
    for order in ([first, second], [second, first]):
        for shared in (False, True):
            after = with_weights(layers(0, 0, shared=shared), order)
            assert np.abs(run(after, X)[0] - expected).max() <= 1


def test_one_replacement_for_all_that_read_the_same_weights() -> None:
    new = replacement(1)
    for shared in (False, True):
        for given in ([new], [new, new]):
            after = with_weights(layers(0, 0, shared=shared), given)
            found = run(after, X)[0]
            assert np.abs(found[:, : 2 * OUTPUTS] - np.tile(by_hand(new, X), 2)).max() <= 1
    model = read_model(with_weights(layers(0, 0, shared=True), [new]))
    assert len(model.subgraphs[0].tensors) <= 7
    assert len({tensor.buffer for tensor in model.subgraphs[0].tensors}) == 3


def test_a_bias_where_there_was_none() -> None:
    new = replacement(1)
    after = with_weights(layers(0, biases=False), [new])
    assert np.abs(run(after, X)[0] - by_hand(new, X)).max() <= 1
    none = Replacement(written=new.written, codes=new.codes, scales=new.scales)
    after = with_weights(layers(0, biases=False), [none])
    assert np.abs(run(after, X)[0] - by_hand(none, X)).max() <= 1
    assert [int(at) for at in read_model(after).subgraphs[0].operators[0].inputs][2:] == [-1]


def test_sixteen_bit_activations_keep_their_wide_bias() -> None:
    before = integer_layer("FULLY_CONNECTED", random_codes(0), activations="int16")
    new = replacement(1)
    after = with_weights(before, [new])
    model = read_model(after)
    values = tensor_values(model, 0, int(model.subgraphs[0].operators[0].inputs[2]))
    assert values is not None
    assert values.dtype == np.int64
    np.testing.assert_array_equal(values, np.rint(new.bias / (0.001 * np.float64(new.scales))))
    sums = X.astype(np.int64) @ new.codes.T.astype(np.int64) + values
    expected = np.rint(sums * np.float64(new.scales) * 0.001 / 0.002)
    assert np.abs(run(after, X)[0] - expected).max() <= 1


def test_what_does_not_fit_is_one_line() -> None:
    before = integer_layer("FULLY_CONNECTED", random_codes(0))
    with pytest.raises(InputError, match=r"no Dense layer with the weights of replacement 1"):
        with_weights(before, [replacement(1), replacement(1, written=4)])
    unlike = [
        Replacement(written=one.written, codes=one.codes, scales=one.scales)
        for one in (replacement(1), replacement(2))
    ]
    with pytest.raises(UsageError, match="equally well, with the same bias"):
        with_weights(before, unlike)
    tiny = replacement(1)
    tiny.scales[2] = 1e-30
    with pytest.raises(InputError, match="of output 2 of 'b' is too large for its scale"):
        with_weights(before, [tiny])
    with pytest.raises(ValueError, match=r"give \(outputs, inputs\) and \(outputs,\)"):
        Replacement(written=tiny.written, codes=tiny.codes, scales=tiny.scales[:3])
    with pytest.raises(ValueError, match=r"bias has the shape \(2,\): give \(6,\)"):
        Replacement(written=tiny.written, codes=tiny.codes, scales=tiny.scales, bias=np.zeros(2))
    assert with_weights(before, []) == before
    assert operator_names(before) == [["FULLY_CONNECTED"]]
