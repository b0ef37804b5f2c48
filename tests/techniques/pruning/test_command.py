"""`tflite-squeeze prune`."""

import io
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prunable import Prunable
from tflite_squeeze.techniques.pruning.record import PruneRecord


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "pruned.keras"


def _left(out: Path) -> list[str]:
    return sorted(file.name for file in out.parent.iterdir())


def _zeros(path: Path) -> dict[str, int]:
    targets = select(load_model(path).model).targets
    return {target.name: int(np.sum(np.asarray(target.variable) == 0)) for target in targets}


def test_without_data_it_is_pruned_at_once(run: Any, files: Any, out: Path) -> None:
    outcome = run("prune", files.model, "-o", out, "--sparsity", "0.75")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{out}: 75.00% zeros in 2 weights" in outcome.out
    assert "the cost of pruning in quality was not measured" in outcome.out
    assert "\x1b" not in outcome.out
    assert _left(out) == ["pruned.keras"]
    assert _zeros(out) == {"hidden/kernel": 103, "scores/kernel": 29}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_both_kerases_in_both_formats(
    run: Any, files: Any, out: Path, tmp_path: Path, flavor: str, suffix: str
) -> None:
    source, written = tmp_path / f"net{suffix}", out.with_suffix(suffix)
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run(
        "prune", source, "-o", written, "--data", files.data, "--sparsity", "0.75",
        "--epochs", "2", "--batch-size", "16", "--learning-rate", "0.01", "--json", "-",
        "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = PruneRecord.model_validate_json(outcome.out)  # nothing but JSON is on stdout
    assert record.model_dump_json(indent=2) + "\n" == outcome.out
    assert record.finetune is not None
    assert (record.finetune.epochs, record.finetune.batch) == (2, 16)
    assert len(record.history["loss"]) == 2
    assert record.reached
    assert load_model(written).kind.value == flavor
    assert _zeros(written) == {"hidden/kernel": 103, "scores/kernel": 29}


def test_epochs_0_keeps_the_other_weights(run: Any, files: Any, out: Path) -> None:
    args = ("prune", files.model, "-o", out, "--data", files.data, "--sparsity", "0.5")
    outcome = run(*args, "--epochs", "0", "--max-drop", "1", "--json", out.with_name("a.json"))
    assert (outcome.code, outcome.err) == (0, "")
    assert "pruned at once, without training" in outcome.out
    assert "accuracy 100.00% →" in outcome.out
    before, after = (load_model(path).model.get_weights()[0] for path in (files.model, out))
    np.testing.assert_array_equal(after[after != 0], before[after != 0])
    record = PruneRecord.model_validate_json(out.with_name("a.json").read_text())
    assert record.finetune is None
    assert _left(out) == ["a.json", "pruned.keras"]


def test_unlabelled_data_serves_scores(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=examples(32, 8))
    args = (
        "--sparsity",
        "0.5",
        "--score",
        "wanda",
        "--data",
        tmp_path / "x.npz",
        "--max-drop",
        "1",
    )
    assert run("prune", files.model, "-o", out, "--max-drop", "1", *args).code == 0
    assert _zeros(out) == {"hidden/kernel": 79, "scores/kernel": 9}


def test_options_reach_the_weights(run: Any, files: Any, out: Path) -> None:
    args = ("prune", files.model, "-o", out, "--force")
    for options, expected in (
        (("--granularity", "2:4"), (64, 24)),
        (("--sparsity", "median"), (64, 24)),
        (("--sparsity", "0.5", "--layer", "scores=0.25", "--score", "random"), (64, 12)),
        (("--sparsity", "0.5", "--protect", "last", "--budget", "erk"), (64, 0)),
        (("--sparsity", "0.5", "--only", "scores"), (0, 24)),
        (("--threshold", "1e-9"), (0, 0)),
    ):
        outcome = run(*args, *options)
        assert (outcome.code, outcome.err) == (0, ""), options
        assert tuple(_zeros(out).values()) == expected, options


def test_prunable_layers_keep_their_own_settings(run: Any, out: Path, tmp_path: Path) -> None:
    layers = keras.layers
    hidden = Prunable(layers.Dense(16, name="hidden"), Prune(sparsity=0.25))
    model = keras.Sequential([keras.Input((8,)), hidden, layers.Dense(4, name="scores")])
    model.save(tmp_path / "wrapped.keras")
    outcome = run("prune", tmp_path / "wrapped.keras", "-o", out, "--sparsity", "0.75")
    assert outcome.code == 0, outcome.err
    assert _zeros(out) == {"hidden/kernel": 32, "scores/kernel": 48}
    assert "Prunable" not in {type(layer).__name__ for layer in keras.models.load_model(out).layers}


@pytest.mark.parametrize(
    ("rate", "said"), [(30, "its accuracy fell from 100.00% to"), (1e30, "no number")]
)
def test_a_collapse_in_a_training_too_short_to_be_watched_exits_1(
    run: Any, files: Any, out: Path, rate: float, said: str
) -> None:
    outcome = run(
        "prune", files.model, "-o", out, "--data", files.data, "--sparsity", "0.1",
        "--steps", "9", "--learning-rate", str(rate),
    )  # fmt: skip
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert said in line
    assert out.with_suffix(".rejected.keras").name in line
    assert not out.exists()


def test_a_sparsity_that_was_not_reached_exits_1(run: Any, files: Any, out: Path) -> None:
    outcome = run(
        "prune", files.model, "-o", out, "--data", files.data, "--sparsity", "0.9",
        "--epochs", "1", "--end", "10000", "--json", "-",
    )  # fmt: skip
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    rejected = out.with_name("pruned.rejected.keras")
    assert line.startswith(f"Error: {out} was not written, it has ")
    assert "not 90.00%: train for more epochs, or protect fewer layers" in line
    assert line.endswith(f"; the model is in {rejected}")
    assert _left(out) == [rejected.name]
    record = PruneRecord.model_validate_json(outcome.out)
    assert not record.reached
    assert sum(_zeros(rejected).values()) == sum(weight.zeros_after for weight in record.weights)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_model_that_lost_too_much_is_rejected(
    run: Any, files: Any, out: Path, tmp_path: Path, labelled: bool
) -> None:
    data = files.data if labelled else tmp_path / "x.npz"
    np.savez(tmp_path / "x.npz", x=examples(96, 8))
    args = ("prune", files.model, "-o", out, "--data", data, "--sparsity", "0.9", "--epochs", "0")
    outcome = run(*args)
    assert outcome.code == 1
    what = "its accuracy fell from 100.00% to" if labelled else "it agrees with the model as it was"
    assert f"Error: {out} was not written, {what}" in outcome.err
    assert "more than --max-drop 5 points: train for longer, ask for less" in outcome.err
    assert _left(out) == ["pruned.rejected.keras"]
    assert run(*args, "--max-drop", "1").code == 0
    assert _left(out) == ["pruned.keras", "pruned.rejected.keras"]


def test_sparsities_of_layers_are_checked_too(run: Any, files: Any, out: Path) -> None:
    args = ("prune", files.model, "-o", out, "--data", files.data, "--sparsity", "0.5")
    outcome = run(*args, "--layer", "hidden=0.9", "--epochs", "1", "--end", "10000")
    assert outcome.code == 1
    assert "NOT reached" in outcome.out
    assert "not 79.09%" in outcome.err  # (0.9 * 128 + 0.5 * 48) / 176


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "the amount of pruning is not given: pass sparsity, such as 0.9"),
        (("--sparsity", "1.0"), "--sparsity is '1.0': give a number between 0 and 1"),
        (("--sparsity", "-0.1"), "--sparsity is '-0.1'"),
        (("--sparsity", "nan"), "sparsity is nan"),
        (
            ("--sparsity", "half"),
            "--sparsity is 'half': give a number between 0 and 1, or 'median'",
        ),
        (("--sparsity", "0.5", "--threshold", "0.1"), "contradict each other"),
        (("--threshold", "inf"), "threshold is inf: Input should be a finite number"),
        (("--sparsity", "0.5", "--granularity", "4:2"), "granularity is '4:2'"),
        (("--sparsity", "0.5", "--layer", "hidden"), "--layer is 'hidden': write PATTERN=FRACTION"),
        (("--sparsity", "0.5", "--layer", "=0.5"), "--layer is '=0.5'"),
        (("--sparsity", "0.5", "--layer", "conv=0.2"), "'conv', which matches none of hidden"),
        (("--sparsity", "0.5", "--layer", "hidden=1"), "should be less than 1"),
        (("--sparsity", "0.5", "--only", "conv_*"), "only names 'conv_*', which matches none of"),
        (("--sparsity", "0.5", "--protect", "conv"), "protect names 'conv', which matches none"),
        (("--sparsity", "0.5", "--protect", "Dense"), "nothing to prune in model"),
        (("--sparsity", "0.5", "--begin", "9", "--end", "3"), "schedule polynomial"),
        (("--sparsity", "0.5", "--schedule", "sudden"), "'sudden' is not one of"),
        (("--sparsity", "0.5", "--epochs", "1"), "--epochs needs labels to train on"),
        (("--sparsity", "0.5", "--learning-rate", "0.1"), "nothing is trained: pass labelled"),
        (("--sparsity", "0.5", "--learning-rate", "nan"), "--learning-rate is nan"),
        (("--sparsity", "0.5", "--learning-rate", "inf"), "--learning-rate is inf"),
        (("--sparsity", "0.5", "--score", "taylor"), "score 'taylor' needs samples"),
        (("--sparsity", "0.5", "--budget", "sensitivity"), "need labelled data"),
        (("--sparsity", "0.5", "--curves", "c.json"), "are for --budget sensitivity, not erk"),
        (("--sparsity", "0.5", "--scale", "1/255"), "but no data: pass --data"),
        (("--sparsity", "0.5", "--data", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    run: Any, files: Any, out: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in run("prune", files.model, "-o", out, *options).refused()
    assert _left(out) == []


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"x": examples(20, 8)}, ("--epochs", "1"), "--epochs needs labels to train on"),
        ({"x": examples(20, 8)}, ("--batch-size", "8"), "--batch-size is given but nothing is"),
        ({"x": examples(20, 9), "y": np.zeros(20, int)}, (), "(9,)"),
        ({"x": examples(20, 8), "y": np.full(20, 7)}, (), "3 classes"),
    ],
    ids=["no labels", "nothing to train on", "shape", "classes"],
)
def test_data_that_cannot_be_used(
    run: Any, files: Any, out: Path, tmp_path: Path, arrays: Any, options: Any, said: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    args = ("prune", files.model, "-o", out, "--sparsity", "0.5", "--data", tmp_path / "bad.npz")
    assert said in run(*args, *options).refused()
    assert _left(out) == []


def test_outputs_that_cannot_be_written(run: Any, files: Any, out: Path) -> None:
    def refused(target: Path, *more: object) -> str:
        line: str = run("prune", files.model, "-o", target, "--sparsity", "0.5", *more).refused()
        return line

    assert "name the output .keras, and convert that" in refused(out.with_suffix(".tflite"))
    assert "use a name that ends in .keras or .h5" in refused(out.with_suffix(""))
    assert "is a folder" in refused(out.parent)
    assert "does not exist: create it" in refused(out.parent / "no" / "a.keras")
    assert "is the input itself" in refused(files.model, "--force")
    assert "is the input itself" in refused(out, "--force", "--json", files.model)
    assert _left(out) == []
    out.write_bytes(b"precious")
    assert "exists: pass --force" in refused(out)
    assert "is the input itself" in refused(out, "--force", "--json", out)
    assert out.read_bytes() == b"precious"


def test_models_without_layers(run: Any, files: Any, out: Path, tmp_path: Path) -> None:
    tiny_models.dense(keras).export(tmp_path / "saved", verbose=False)
    (tmp_path / "text.keras").write_text("not a model")
    for source, said in {
        tmp_path / "saved": "comes without its layers (saved_model): give the .keras or .h5",
        tmp_path / "text.keras": "is not a model",
        tmp_path / "missing.keras": "does not exist",
    }.items():
        assert said in run("prune", source, "-o", out, "--sparsity", "0.5").refused()
    assert _left(out) == []


def test_a_model_without_weights(run: Any, out: Path, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((8,)), keras.layers.Softmax()]).save(tmp_path / "flat.keras")
    args = ("prune", tmp_path / "flat.keras", "-o", out, "--sparsity", "0.5")
    assert "nothing to prune in model" in run(*args).refused()


def test_ctrl_c_leaves_nothing(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tflite_squeeze.training import step_run

    def interrupt(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(step_run, "Judge", interrupt)
    outcome = run("prune", files.model, "-o", out, "--sparsity", "0.5", "--data", files.data)
    assert outcome.code == 130
    assert outcome.err.strip() == "Stopped; nothing was left half-written."
    assert _left(out) == []


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_spinner_is_for_terminals_only(
    run: Any, files: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tests see an empty standard error, since theirs is a file."""
    monkeypatch.setattr(sys, "stderr", _Terminal())
    args = ("prune", files.model, "-o", out, "--force", "--sparsity", "0.5")
    shown = run(*args)
    assert shown.code == 0
    assert "Pruning" in shown.err
    assert "\x1b" in shown.err
    assert "\x1b" not in shown.out
    assert run("-q", *args).err == ""
