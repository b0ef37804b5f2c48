"""MediaPipe's transposed convolution as the built-in one."""

import numpy as np
import pytest

from tests.tiny_files import FileMaker
from tflite_squeeze.emission.from_file.builtin import with_builtin_operators
from tflite_squeeze.runtime.run import run_cases
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model


def _transposed(*options: int) -> bytes:
    """Each pixel of a 2x2 image becomes 2x2 pixels: its product with a kernel, and a bias."""
    maker = FileMaker()
    image = maker.tensor("x", (1, 2, 2, 1))
    kernel = maker.tensor("w", (1, 2, 2, 1), data=np.float32([1, 2, 3, 4]))
    bias = maker.tensor("b", (1,), data=np.float32([10]))
    output = maker.tensor("y", (1, 4, 4, 1))
    maker.operator("TRANSPOSE_CONV", [image, kernel, bias], [output])
    model = read_model(maker.file([image], [output]))
    code, (operator,) = model.operatorCodes[0], model.subgraphs[0].operators
    code.builtinCode = code.deprecatedBuiltinCode = 32  # CUSTOM
    code.customCode = "Convolution2DTransposeBias"
    operator.customOptions = np.int32(options).view(np.uint8)
    return pack_model(model)


@pytest.mark.parametrize("padding", [1, 2])
def test_the_built_in_operator_answers_the_same(padding: int) -> None:
    tflite, (note,) = with_builtin_operators(_transposed(padding, 2, 2))
    assert operator_names(tflite) == [["TRANSPOSE_CONV"]]
    assert note == "1 Convolution2DTransposeBias became TRANSPOSE_CONV"
    (found,) = run_cases(tflite, [{"x": np.float32([1, 0, 0, 2]).reshape(1, 2, 2, 1)}])
    wanted = [[11, 12, 10, 10], [13, 14, 10, 10], [10, 10, 12, 14], [10, 10, 16, 18]]
    assert found["y"].reshape(4, 4).tolist() == wanted


@pytest.mark.parametrize("options", [(7, 2, 2), (1,)])
def test_unknown_options_leave_it_as_it_is(options: tuple[int, ...]) -> None:
    tflite = _transposed(*options)
    assert with_builtin_operators(tflite) == (tflite, ())
