"""What names a PyTorch network, and the options that belong to it."""

from pathlib import Path

import pytest

from tests.command_runs import Run
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.foreign.torch.source import (
    factory_of,
    is_factory,
    is_program,
    read_input,
    refuse_unused,
)


@pytest.mark.parametrize("text", ["model.py:build", "a/b c.py:make_2"])
def test_a_function_in_a_python_file_is_a_factory(text: str) -> None:
    assert is_factory(text)
    assert is_factory(Path(text))


@pytest.mark.parametrize("text", ["model.py", "model.py:", "model.keras", "model.py:a.b", ":f", 3])
def test_nothing_else_is(text: object) -> None:
    assert not is_factory(text)


def test_a_program_is_told_by_its_suffix() -> None:
    assert [is_program(Path(name)) for name in ("a.pt2", "a.pt", "a.onnx")] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1x3x224x224", (None, (1, 3, 224, 224), "float32")),
        ("tokens=1x12:int64", ("tokens", (1, 12), "int64")),
        ("12x1x8", (None, (12, 1, 8), "float32")),
        ("mask=1x4:bool", ("mask", (1, 4), "bool")),
    ],
)
def test_an_input_has_a_name_a_shape_and_a_dtype(text: str, wanted: object) -> None:
    assert read_input(text) == wanted


@pytest.mark.parametrize("text", ["", "1,3,4", "x=", "1x3:float16", "1x-1", "3x4", "1x0"])
def test_other_texts_are_refused_with_what_was_given(text: str) -> None:
    with pytest.raises(UsageError, match=r"--input is '"):
        read_input(text)


def test_a_factory_has_files_that_exist(factory: str, tmp_path: Path) -> None:
    made = factory_of(factory, None, ["1x4"])
    assert (made.path, made.function, str(made)) == (Path("model.py"), "build", factory)
    with pytest.raises(InputError, match=r"weights none\.pt does not exist"):
        factory_of(factory, "none.pt", ())
    with pytest.raises(InputError, match=r"model other\.py does not exist"):
        factory_of("other.py:build", None, ())


def test_options_of_a_factory_are_refused_beside_another_model() -> None:
    refuse_unused("model.keras", None, ())
    with pytest.raises(UsageError, match=r"--state-dict belongs to .* is model\.keras"):
        refuse_unused("model.keras", "w.pt", ())
    with pytest.raises(UsageError, match="--input belongs to"):
        refuse_unused("model.keras", None, ["1x3"])


def test_weights_alone_are_no_network(tmp_path: Path, run: Run) -> None:
    for name in ("weights.pt", "weights.pth"):
        (tmp_path / name).write_bytes(b"PK")
        line = run("convert", tmp_path / name, "-o", tmp_path / "a.tflite").refused()
        assert "weights without the network" in line
