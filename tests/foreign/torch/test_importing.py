"""From a network to a Keras model, with a stand-in for torch that answers as torch did."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.command_runs import Run
from tests.foreign.torch.conftest import HERE
from tests.onnx_files import node, onnx_file, weight
from tflite_squeeze.errors import CheckFailed, InputError, RuntimeFailure, UnsupportedError
from tflite_squeeze.foreign.torch.importing import import_torch
from tflite_squeeze.importing.config import Import
from tflite_squeeze.importing.import_model import import_model
from tflite_squeeze.network.loading import ModelKind, load_model

PROGRAM = HERE / "dictionary.pt2"
Fake = Callable[..., None]


def test_a_program_becomes_layers_that_are_checked_against_torch(fake: Fake) -> None:
    fake()
    model, record = import_model(PROGRAM, Import(tolerance=1e-5))
    assert record.evaluator == "PyTorch 2.13.0"
    assert record.batches == (1, 3)
    assert record.layers["BatchNormalization"] == 1
    assert [each.name for each in record.outputs] == ["features", "scores"]
    assert model.name == "dictionary"


def test_the_second_exporter_is_tried_where_the_first_fails(fake: Fake) -> None:
    fake("script")
    assert "exported by dynamo" in import_torch(PROGRAM).notes[0]
    fake("neither")
    with pytest.raises(InputError, match=r"by TorchScript: script does.*by dynamo: dynamo does"):
        import_torch(PROGRAM)


def test_answers_that_differ_are_refused(fake: Fake) -> None:
    fake("differs")
    with pytest.raises(CheckFailed, match=r"differs from PyTorch by "):
        import_torch(PROGRAM)


def test_a_fixed_batch_is_compared_one_by_one(fake: Fake) -> None:
    fake("fixed")
    assert "one example at a time" in import_torch(PROGRAM).agreement.evaluator


def test_what_the_worker_refuses_is_the_users_to_mend(fake: Fake) -> None:
    fake("refuses")
    with pytest.raises(InputError, match="weights do not fit"):
        import_torch(PROGRAM)


def test_a_worker_that_ends_is_told_with_its_last_words(fake: Fake) -> None:
    fake("crashes")
    with pytest.raises(RuntimeFailure, match="exit code 3; its last words: Segmentation fault"):
        import_torch(PROGRAM)


def test_unsafe_programs_do_not_reach_the_worker(fake: Fake, tmp_path: Path) -> None:
    fake("crashes")
    path = tmp_path / "model.pt2"
    path.write_bytes(b"no zip")
    with pytest.raises(InputError, match="damaged"):
        import_torch(path)


def test_every_verb_takes_a_program_and_a_factory(
    fake: Fake, factory: str, tmp_path: Path, run: Run
) -> None:
    fake()
    made = run("import", factory, "--input", "1x3x8x8", "-o", "kept.keras")
    assert made.code == 0, made.err
    assert "largest difference to model.py:build" in made.out
    done = run("convert", PROGRAM, "-o", "a.tflite")
    assert done.code == 0, done.err
    assert "difference to PyTorch 2.13.0 at batches 1 and 3" in done.out
    assert "'x' is [8, 8, 3] here and [1, 3, 8, 8] in PyTorch" in done.out
    narrowed = run("prune", factory, "--input", "1x3x8x8", "-o", "b.keras", "--sparsity", "0.5",
                   "--max-drop", 1)  # fmt: skip
    assert narrowed.code == 0, narrowed.err
    looked = run("inspect", factory, "--input", "1x3x8x8")
    assert looked.code == 0, looked.err


def test_a_factory_is_handed_over_with_what_belongs_to_it(
    fake: Fake, factory: str, tmp_path: Path
) -> None:
    fake()
    (tmp_path / "w.pt").touch()
    loaded = load_model(factory, weights="w.pt", inputs=["1x3x8x8"])
    assert (loaded.kind, loaded.name, loaded.path) == (ModelKind.KERAS, "model", None)
    again = load_model(factory, weights="w.pt", inputs=["1x3x8x8"])
    assert loaded.sha256 == again.sha256


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("convert", "kept.keras", "--input", "1x3"), "does not exist"),
        (("import", PROGRAM, "--weights", "w.pt", "-o", "x.keras"), "--state-dict belongs to"),
        (("import", "none.py:build", "-o", "x.keras"), "none.py does not exist"),
        (("import", "model.py:build", "--input", "3x3", "-o", "x.keras"), "1 for the batch"),
        (("distill", PROGRAM, "model.py:build", "--data", "mnist", "-o", "x.keras"), "teacher"),
    ],
)
def test_wrong_use_is_one_line(
    fake: Fake, factory: str, run: Run, given: tuple[object, ...], said: str
) -> None:
    fake()
    more = ("-o", "a.tflite") if given[0] == "convert" else ()
    assert said in run(*given, *more).refused()


@pytest.fixture
def unknown(tmp_path: Path) -> dict[str, str]:
    """A network with an operator that no layer computes."""
    path = onnx_file(
        tmp_path,
        [node("MatMul", "x w", "a"), node("TopK", "a k", "y i")],
        {"x": ["batch", 4]},
        {"w": weight(4, 4), "k": np.array([2], np.int64)},
    )
    return {"FAKE_ONNX": str(path), "FAKE_SHAPES": "[[1, 4]]"}


def test_operators_without_a_layer_are_named_with_the_remedy(
    fake: Fake, unknown: dict[str, str]
) -> None:
    fake(**unknown)
    with pytest.raises(UnsupportedError, match="TopK x 1"):
        import_torch(PROGRAM)
    with pytest.raises(UnsupportedError, match=r"TopK x 1.*doctor --install litert-torch$"):
        load_model(PROGRAM)


def test_then_the_file_of_litert_torch_is_taken_and_it_is_said(
    fake: Fake, unknown: dict[str, str], files: "object", tmp_path: Path, run: Run
) -> None:
    written = {"path": str(files.tflite), "difference": 1e-7, "version": "0.10.0"}
    fake(**unknown, FAKE_TFLITE=json.dumps(written))
    loaded = load_model(PROGRAM)
    assert loaded.kind is ModelKind.TFLITE
    done = run("convert", PROGRAM, "-o", tmp_path / "a.tflite")
    assert done.code == 0, done.err
    assert "TopK x 1" in done.out
    assert "so it is taken as the .tflite file of litert-torch 0.10.0" in done.out
    fake(**unknown, FAKE_TFLITE=json.dumps({**written, "difference": 0.1}))
    with pytest.raises(CheckFailed, match="the file of litert-torch differs"):
        load_model(PROGRAM)
