"""A `.pt2` file is taken as torch wrote it, and refused with each way to run code in it."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.foreign.torch.programs import check_program

PROGRAM = Path(__file__).parent / "dictionary.pt2"
MODEL = "dictionary/models/model.json"
WEIGHTS = "dictionary/data/weights/model_weights_config.json"


def changed(folder: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """A copy with one member's JSON changed."""
    path = folder / "changed.pt2"
    with zipfile.ZipFile(PROGRAM) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == name:
                parsed = json.loads(content)
                change(parsed)
                content = json.dumps(parsed).encode()
            target.writestr(member, content)
    return path


def with_member(folder: Path, name: str) -> Path:
    path = folder / "more.pt2"
    path.write_bytes(PROGRAM.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"{}")
    return path


def graph(model: Any) -> Any:
    return model["graph_module"]["graph"]


def test_a_program_of_torch_is_taken() -> None:
    check_program(PROGRAM)


def target(text: str) -> Callable[[Any], None]:
    return lambda model: graph(model)["nodes"][0].update(target=text)


def size(text: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        sizes = graph(model)["tensor_values"]["x"]["sizes"]
        sizes[0] = {"as_expr": {"expr_str": text, "hint": {"as_int": 2}}}

    return change


def tree(text: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = text

    return change


def named(text: str) -> Callable[[Any], None]:
    return lambda model: graph(model)["inputs"][-1]["as_tensor"].update(name=text)


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Mul(Integer(2), Symbol('s77', integer=True))",
        "FloorDiv(s77 + 1, 2)",
        "Max(1, s0 - 3)",
    ],
)
def test_sizes_that_are_arithmetic_are_taken(tmp_path: Path, text: str) -> None:
    check_program(changed(tmp_path, MODEL, size(text)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (target("torch.hub.load"), r"torch\.hub\.load x 1"),
        (target("torch.ops.aten.from_file.default"), "from_file"),
        (target("torch.ops.load_library"), "load_library"),
        (target("torch.ops.mine.run.default"), "mine"),
        (target("_operator.methodcaller"), "methodcaller"),
        (target("#mine:run"), "#mine"),
        (size("__import__('os').system('true')"), "computes a size"),
        (size("Max(*[1])"), "computes a size"),
        (size("Add('1+1')"), "computes a size"),
        (size("Symbol(\"a')+f('\")"), "computes a size"),
        (size("s77.__class__"), "computes a size"),
        (size("("), "computes a size"),
        (named("x=print(1)"), "as a name"),
        (tree('[1, {"type": "mine.Output", "context": "null", "children_spec": []}]'), "mine.Out"),
        (
            tree(
                '[1, {"type": "builtins.dict", "children_spec": [], "context": '
                '"[{\\"__enum__\\": true, \\"fqn\\": \\"os:path\\", \\"name\\": \\"a\\"}]"}]'
            ),
            "as keys",
        ),
        (tree("[1"), "describes its inputs"),
        (
            lambda model: graph(model)["nodes"][0]["inputs"][0].update(
                arg={"as_custom_obj": {"name": "a", "class_fqn": "b"}}
            ),
            "objects of Python's",
        ),
    ],
)  # fmt: skip
def test_what_may_run_code_is_refused(
    tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(InputError, match=f"{said}.*--allow-unsafe"):
        check_program(changed(tmp_path, MODEL, change))


def test_objects_in_place_of_weights_are_refused(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        next(iter(config["config"].values()))["path_name"] = "opaque_obj_0"

    with pytest.raises(InputError, match="object of Python's"):
        check_program(changed(tmp_path, WEIGHTS, change))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dictionary/data/aotinductor/model/code.so", "no part of a plain program"),
        ("dictionary/models/other.json", "no part of a plain program"),
        ("dictionary/MODELS/model.json", "the same name"),
    ],
)
def test_members_that_hide_code_are_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_program(with_member(tmp_path, name))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", PROGRAM.read_bytes()[:9000]])
def test_damaged_files_say_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged, or not written by torch\.export\.save"):
        check_program(path)


def test_an_archive_of_an_older_torch_is_to_be_exported_again(tmp_path: Path) -> None:
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(InputError, match=r"by torch 2\.8 or later"):
        check_program(path)
