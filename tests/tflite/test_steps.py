from tests.tiny_files import FileMaker, quantization
from tflite_squeeze.tflite.tensor_values import step_before


def test_the_step_is_that_of_the_integers_behind_a_real() -> None:
    maker = FileMaker()
    q = maker.tensor("q", (1, 4), "int8", quantization=quantization([0.05]))
    real = maker.tensor("real", (1, 4))
    y = maker.tensor("y", (1, 4))
    maker.operator("DEQUANTIZE", [q], [real], version=2)
    maker.operator("RELU", [real], [y])
    model = maker.model([q], [y])
    assert abs(step_before(model, 0, real) - 0.05) < 1e-6
    assert step_before(model, 0, y) == 0
    assert step_before(model, 0, q) == 0
