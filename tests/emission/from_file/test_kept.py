"""Operators of a file that stay in float."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker
from tests.tiny_models import LIBRARIES, convolutional, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.kept import (
    Kept,
    kept_in_float,
    rounded_in_file,
    with_names,
    with_stored_kernels,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.tflite.fields import dtype_name, text
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.signatures import quantization_name

X = examples(32, 8, 8, 1)


def _chain(*kinds: str, names: Any = None) -> bytes:
    """Operators of one input and one output, each behind the one before: x → a → b → …"""
    maker = FileMaker()
    tensors = [maker.tensor("x", (1, 4))]
    for at, kind in enumerate(kinds):
        name = "net/abcdef"[:4] + "abcdef"[at] + "_1/op" if names is None else names[at]
        tensors.append(maker.tensor(name, (1, 4)))
        options = schema.ReshapeOptionsT() if kind == "RESHAPE" else None
        maker.operator(kind, tensors[-2:-1], tensors[-1:], options)
    return maker.file(tensors[:1], tensors[-1:])


def _names(kept: frozenset[str]) -> str:
    """The letters of operators."""
    return "".join(sorted(name.split("/")[1][0] for name in kept))


@pytest.mark.parametrize(
    ("patterns", "named", "around", "values"),
    [
        (["c_1"], "c", "d", "c"),  # what reads a value that is not rounded computes in float
        (["c"], "c", "d", "c"),  # the exporter's number may be left out
        (["x"], "", "a", ""),
        (["f"], "f", "", "f"),
        (["a"], "a", "bc", "ab"),  # RESHAPE moves it to who comes next
        (["b"], "b", "ac", "ab"),  # and from who came before
        (["type:ABS"], "a", "bc", "ab"),
        (["net/[cd]_1/op"], "cd", "e", "cd"),
    ],
)
def test_what_is_named_and_what_is_around_it(
    patterns: list[str], named: str, around: str, values: str
) -> None:
    kept = kept_in_float(_chain("ABS", "RESHAPE", "EXP", "NEG", "LOG", "SIN"), patterns)
    assert (_names(kept.named), _names(kept.around)) == (named, around)
    assert _names(kept.values - {"x"}) == values
    assert kept.operators == kept.named | kept.around


def test_a_name_that_nothing_has_is_refused_with_others() -> None:
    with pytest.raises(UsageError, match=r"keep_float names 'box', which matches none of .*a_1"):
        kept_in_float(_chain("ABS"), ["box"])


def test_tensors_without_names_get_one() -> None:
    model = read_model(with_names(_chain("ABS", "EXP", names=["", "y"])))
    assert [text(one.name) for one in model.subgraphs[0].tensors] == ["x", "ABS_0_0_0", "y"]


@pytest.fixture(scope="module")
def plain() -> bytes:
    return convert(convolutional(LIBRARIES["keras"]), verification=None).tflite


def _converted(plain: bytes, *patterns: str) -> Any:
    return convert(plain, Convert(quantize="int8", keep_float=patterns), X)


def test_an_input_reaches_its_operator_unrounded(plain: bytes) -> None:
    converted = _converted(plain, "image")
    assert operator_names(converted.tflite)[0][:2] == ["CONV_2D", "QUANTIZE"]
    assert converted.record.passed
    assert any("not fully integer" in note for note in converted.record.notes)


def test_everything_may_stay_in_float(plain: bytes) -> None:
    converted = _converted(plain, "*")
    assert quantization_name(converted.tflite) == "none"
    assert converted.record.verification.outputs[0].sqnr_db > 60


def test_operators_stay_in_float_whose_names_the_quantizer_changes(library: Any) -> None:
    layers = library.layers
    image = library.Input((4, 4, 2), name="image")
    hidden = layers.Conv2D(4, 3, activation="relu", name="seen")(image)
    model = library.Model(image, layers.Conv2DTranspose(2, 2, strides=2, name="up")(hidden))
    plain = convert(model, Convert(), verification=None).tflite
    config = Convert(quantize="int8", keep_float=("up",))
    made = convert(plain, config, examples(16, 4, 4, 2))
    (names,), (graph,) = operator_names(made.tflite), read_model(made.tflite).subgraphs
    types = {
        name: dtype_name(graph.tensors[operator.outputs[0]])
        for name, operator in zip(names, graph.operators, strict=True)
    }
    assert (types["CONV_2D"], types["TRANSPOSE_CONV"]) == ("int8", "float32")
    assert any("all operators TRANSPOSE_CONV compute in float" in one for one in made.record.notes)


def test_kernels_around_are_stored_in_bytes() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 64)), maker.tensor("y", (1, 32))
    kernel = maker.tensor("w", (32, 64), data=np.ones((32, 64), np.float32))
    maker.operator("FULLY_CONNECTED", [x, kernel], [y], schema.FullyConnectedOptionsT())
    tflite = maker.file([x], [y])
    around = with_stored_kernels(tflite, Kept(around=frozenset({"y"})))
    assert operator_names(around) == [["DEQUANTIZE", "FULLY_CONNECTED"]]
    assert with_stored_kernels(tflite, Kept(named=frozenset({"y"}))) == tflite


def test_what_was_rounded_all_the_same_is_found() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 4), "int8"), maker.tensor("y", (1, 4))
    maker.operator("DEQUANTIZE", [x], [y])
    tflite = maker.file([x], [y])
    assert rounded_in_file(tflite, Kept(values=frozenset({"x", "y"}))) == ("x",)
