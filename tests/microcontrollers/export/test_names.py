import pytest

from tflite_squeeze.microcontrollers.export.names import c_name, is_c_name


@pytest.mark.parametrize("name", ["model", "lenet_5", "A", "x9"])
def test_names_that_c_takes(name: str) -> None:
    assert is_c_name(name)


@pytest.mark.parametrize(
    "name", ["", "5x", "_x", "a-b", "a b", "class", "int", "main", "é", "a\n", "string", "stdio"]
)
def test_names_that_c_does_not_take(name: str) -> None:
    assert not is_c_name(name)


def test_names_of_tensors_become_free_ones() -> None:
    taken: set[str] = set()
    names = ["image", "image", "serving_default_x:0", "class", "", "9lives", "é!", "double"]
    assert [c_name(name, taken) for name in names] == [
        "image", "image_2", "serving_default_x_0", "class_", "tensor", "tensor_9lives", "tensor_2",
        "double_",
    ]  # fmt: skip
    assert all(is_c_name(name) for name in taken)
