"""A recipe run whole: steps, refusals, limits, claims."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.recipes.squeeze_runs import TRAINING, TWO, recipe_of
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.packing.pack import unpack
from tflite_squeeze.recipes import outcome, run
from tflite_squeeze.recipes.files import load_recipe
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import Report
from tflite_squeeze.recipes.run import Progress
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.pruning.prune import prune as really_prune

pytestmark = [pytest.mark.usefixtures("fixed_times"), pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(ranked: dict[str, np.ndarray]) -> Any:
    model = tiny_models.dense(LIBRARIES["keras"])
    model.compile(LIBRARIES["keras"].optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(ranked["x_train"], ranked["y_train"], epochs=30, verbose=0, batch_size=16)
    return model


def _zeros(path: Path) -> list[int]:
    targets = select(load_model(path).model).targets
    return [int(np.sum(np.asarray(target.variable) == 0)) for target in targets]


def test_a_whole_run(library: Any, npz: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    result = squeeze(tiny_models.dense(library), recipe_of(*TWO), str(npz), tmp_path / "out",
                     on_progress=told.append)  # fmt: skip
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {
        "state.json", "recipe.yaml", "step_1_prune.keras", "step_2_prune.keras", "dense.tflite",
        "before", "report.json", "report.md",
        "report.html",
    }  # fmt: skip
    assert _zeros(tmp_path / "out" / "step_1_prune.keras") == [64, 24]
    assert _zeros(tmp_path / "out" / "step_2_prune.keras") == [96, 36]
    assert (tmp_path / "out" / "dense.tflite").read_bytes() == result.tflite
    report = Report.model_validate_json((tmp_path / "out" / "report.json").read_bytes())
    assert report == result.report
    assert report.passed
    assert [step.status for step in report.steps] == ["done", "done"]
    assert report.steps[1].before == report.steps[0].after
    assert report.outcome is not None
    assert [(c.kind, c.passed) for c in report.outcome.claims] == [
        ("zeros", True), ("dtype", True), ("zeros", True), ("dtype", True)
    ]  # fmt: skip
    assert report.outcome.operators is not None
    assert report.outcome.operators.unavailable is None
    assert "Operators by time" in (tmp_path / "out" / "report.html").read_text()
    assert report.outcome.file.nonzeros < report.baseline.start.nonzeros / 2
    assert load_recipe(tmp_path / "out" / "recipe.yaml") == recipe_of(*TWO).resolved()
    # It tells of the parts in order, and of each epoch.
    assert [p.what for p in told if not p.epochs] == [
        "the model as it is", "prune", "prune", "the file"
    ]  # fmt: skip
    assert [(p.done, p.epoch) for p in told if p.epochs] == [
        (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "types"),
    [
        ({"quantize": "mixed", "keep_float": ["hidden"]}, {"int8", "float32"}),
        ({"quantize": "dynamic", "weight_bits": "auto"}, {"int2", "int4"}),
        ({"quantize": "int8", "weight_bits": 4}, {"int4"}),
    ],
)
def test_files_that_their_check_chooses_and_few_bits(
    trained: Any, npz: Path, settings: dict[str, Any], types: set[str]
) -> None:
    given = recipe_of(
        convert={**settings, "sparsity": "dense"}, verify={"max_drop": 0.2, "min_sqnr_db": 1}
    )
    result = squeeze(trained, given, str(npz))
    assert result.report.passed
    assert result.report.outcome is not None
    claimed = [one for one in result.report.outcome.claims if one.kind == "dtype"]
    assert len(claimed) == 2
    assert types & {name for one in claimed for name in str(one.found).split()}


def test_without_steps_data_or_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "turn_by_turn", partial(turn_by_turn, turns=3))
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), Recipe(name="plain"))
    assert result.folder is None
    assert result.report.passed
    assert result.report.baseline.quality is None
    assert result.report.outcome is not None
    assert result.report.outcome.latency is not None
    assert result.report.outcome.latency.result_us > 0
    plain = convert(tiny_models.dense(LIBRARIES["keras"]), Convert(name="dense"))
    assert result.tflite == plain.tflite


def test_a_step_that_does_not_pay_is_skipped(trained: Any, npz: Path, tmp_path: Path) -> None:
    hopeless = {"prune": {"sparsity": 0.95}, "finetune": False, "max_drop": 0.0,
                "on_refusal": "skip"}  # fmt: skip
    nothing = {"narrow": {"ratio": 0.0}, "finetune": False, "on_refusal": "skip"}
    grown = {"prune": {"sparsity": 0.0}, "finetune": False, "pays": "macs", "on_refusal": "skip"}
    recipe = recipe_of(hopeless, nothing, grown, TWO[0])
    result = squeeze(trained, recipe, str(npz), tmp_path)
    steps = result.report.steps
    assert [step.status for step in steps] == ["skipped", "skipped", "skipped", "done"]
    assert "accuracy is worse than at the beginning by" in steps[0].reasons[0]
    assert "nothing to narrow" in steps[1].reasons[0]
    assert steps[2].reasons == ("macs 176 → 176: not smaller",)
    # The last step began with the model as it was.
    assert steps[3].before == result.report.baseline.quality
    assert _zeros(tmp_path / "step_4_prune.keras") == [64, 24]
    assert not list(tmp_path.glob("step_1*"))
    assert result.report.passed


def test_a_step_that_does_not_pay_stops_the_run(trained: Any, npz: Path, tmp_path: Path) -> None:
    lossy = {**TWO[0], "max_drop": 0.0, "prune": {"sparsity": 0.95}, "finetune": False,
             "on_refusal": "stop"}  # fmt: skip
    recipe = recipe_of(lossy, {"prune": {"sparsity": 0.97}})
    result = squeeze(trained, recipe, str(npz), tmp_path)
    assert [step.status for step in result.report.steps] == ["stopped"]
    assert result.tflite is None
    assert not (tmp_path / "dense.tflite").exists()
    with pytest.raises(CheckFailed, match=r"step 1 \(prune\) does not pay: accuracy is worse"):
        result.check()
    text = (tmp_path / "report.md").read_text()
    assert "1 more step not run" in text
    # Going on does not do it again.
    again = squeeze(trained, recipe, str(npz), tmp_path, resume=True)
    assert again.report.steps == result.report.steps


def test_what_was_not_reached_is_refused(npz: Path) -> None:
    step = {"prune": {"sparsity": 0.9, "budget": "global", "max_layer_sparsity": 0.5},
            "finetune": False}  # fmt: skip
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe_of(step), str(npz))
    assert result.report.steps[0].reasons == ("prune did not reach its target",)


def test_limits(trained: Any, npz: Path, tmp_path: Path) -> None:
    step = {"prune": {"sparsity": 0.95}, "finetune": False, "max_drop": 0.99}
    limits = {"max_drop": 0.01, "raw_bytes": 100, "download_bytes": 100_000, "latency_ms": 1e-6,
              "min_agreement": 0.99}  # fmt: skip
    result = squeeze(trained, recipe_of(step, limits=limits), str(npz), tmp_path)
    assert result.report.outcome is not None
    found = {check.limit: check for check in result.report.outcome.limits}
    assert {name: check.passed for name, check in found.items()} == {
        "max_drop": False, "raw_bytes": False, "download_bytes": True, "latency_ms": False,
        "min_agreement": False,
    }  # fmt: skip
    assert found["max_drop"].found > 0.1
    assert found["raw_bytes"].found == len(result.tflite or b"")
    assert found["latency_ms"].found == 0.01
    # The folder's name may be long, and a long message loses its middle.
    said = r"limit: raw_bytes is .*before/converted\.tflite, the unchanged model, passes its check"
    with pytest.raises(CheckFailed, match=said):
        result.check()
    assert (tmp_path / "report.json").exists()
    assert [path.name for path in tmp_path.glob("dense*")] == ["dense.rejected.tflite"]


@pytest.mark.parametrize("fastest", ["none", "int8"])
def test_the_fastest_type_is_chosen_once(
    trained: Any, npz: Path, tmp_path: Path, fastest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"int8": 20.0, "none": 20.0, fastest: 10.0}
    monkeypatch.setattr(run, "in_turns", lambda files: {name: times[name] for name in files})
    recipe = recipe_of(
        {"prune": {"sparsity": 0.5}, "finetune": False},
        convert={"sparsity": "dense"}, fastest_of=["int8", "none"],
    )  # fmt: skip
    report = squeeze(trained, recipe, str(npz), tmp_path).report
    assert report.outcome is not None
    assert report.baseline.quantize == report.outcome.conversion.config.quantize == fastest
    assert report.baseline.choices_us == times
    assert report.passed
    text = (tmp_path / "report.md").read_text()
    assert f"quantization {fastest}, the fastest here" in text
    times[fastest] = 99.0  # a run that goes on does not choose anew
    again = squeeze(trained, recipe, str(npz), tmp_path, resume=True).report
    assert again.baseline.quantize == fastest
    with pytest.raises(UsageError, match="quantizes to int8, which is calibrated"):
        squeeze(trained, recipe)


def test_a_claim_that_does_not_hold_fails_the_run(
    npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A technique that says more than it did is found out in the bytes."""

    def boasting(model: Any, *args: Any, **options: Any) -> Any:
        pruned, record = really_prune(model, *args, **options)
        weights = tuple(w.model_copy(update={"zeros_after": w.zeros_after + 9})
                        for w in record.weights)  # fmt: skip
        return pruned, record.model_copy(update={"weights": weights})

    monkeypatch.setattr("tflite_squeeze.techniques.pruning.prune.prune", boasting)
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe_of(TWO[0]), str(npz))
    assert not result.report.passed
    with pytest.raises(CheckFailed, match=r"hidden/kernel has 6. .zeros., claimed was 73 or more"):
        result.check()


def test_the_given_model_teaches(trained: Any, npz: Path, tmp_path: Path) -> None:
    """Zeros stay while it is distilled, and no label is needed."""
    once = {"prune": {"sparsity": 0.5, "budget": "uniform"}, "finetune": False}
    taught = {"distill": {"distance": "mse"}, "finetune": {**TRAINING, "epochs": 10}}
    x = np.load(npz)
    images = {"x_train": x["x_train"], "x_test": x["x_test"]}
    result = squeeze(trained, recipe_of(once, taught), images, tmp_path)
    assert result.report.failures == ()
    record = result.report.steps[1].record
    assert record is not None
    assert record["distance_after"] < record["distance_before"]
    assert _zeros(tmp_path / "step_2_distill.keras") == [64, 24]


def test_the_packed_form(npz: Path, tmp_path: Path) -> None:
    recipe = recipe_of(pack=True, limits={"packed_bytes": 50})
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe, str(npz), tmp_path)
    packed = (tmp_path / "dense.rejected.tflite.sqz").read_bytes()
    assert unpack(packed) == result.tflite
    assert result.report.outcome is not None
    (limit,) = result.report.outcome.limits
    assert (limit.found, limit.passed) == (len(packed), False)


def test_zeros_of_an_earlier_step_stay(npz: Path, tmp_path: Path) -> None:
    first = {"prune": {"sparsity": 0.5, "only": ["hidden"]}, "finetune": TRAINING}
    second = {"prune": {"sparsity": 0.5, "only": ["scores"]}, "finetune": TRAINING}
    squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe_of(first, second), str(npz), tmp_path)
    assert _zeros(tmp_path / "step_2_prune.keras") == [64, 24]


def test_every_claim_is_checked_in_the_bytes(npz: Path, tmp_path: Path) -> None:
    """Ranks, widths, zeros and shared values, one after the other on one model."""
    steps = (
        {"narrow": {"ratio": 0.25, "multiple": 4}, "finetune": False},
        {"factorize": {"ranks": {"hidden": 2}}, "finetune": TRAINING},
        {"prune": {"sparsity": 0.5, "only": ["scores"]}, "finetune": TRAINING},
        {"cluster": {"clusters": 4, "only": ["scores"]}, "finetune": TRAINING},
    )
    result = squeeze(tiny_models.dense(LIBRARIES["keras"]), recipe_of(*steps), str(npz), tmp_path)
    assert result.report.failures == ()
    assert [step.status for step in result.report.steps] == ["done"] * 4
    assert result.report.outcome is not None
    checks = {(c.weight, c.kind): c for c in result.report.outcome.claims if c.kind != "dtype"}
    assert {key: check.claimed for key, check in checks.items()} == {
        ("hidden_factor_1/kernel", "shape"): "rank 2 of 8",
        ("hidden/kernel", "shape"): "rank 2 of 8",
        ("scores/kernel", "zeros"): "18 or more",
        ("scores/kernel", "distinct values"): "5 or fewer in a row",
    }
    assert checks["hidden_factor_1/kernel", "shape"].found == "2x8"
    assert checks["hidden/kernel", "shape"].found == "12x2"


def test_refused_before_anything_runs(npz: Path, tmp_path: Path, ranked: Any) -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    with pytest.raises(UsageError, match="calibrated on real samples: pass data"):
        squeeze(model, recipe_of(), None, tmp_path / "out")
    bare = recipe_of(limits={"max_drop": 0.1})
    with pytest.raises(UsageError, match="pass labelled data"):
        squeeze(model, bare, ranked["x_train"], tmp_path / "out")
    with pytest.raises(UsageError, match="resume needs the folder"):
        squeeze(model, recipe_of(), str(npz), resume=True)
    module = tiny_models.TwoSignatures()
    with pytest.raises(UsageError, match="comes without its layers"):
        squeeze(module.functions(), recipe_of(), str(npz))
    assert not (tmp_path / "out").exists()
