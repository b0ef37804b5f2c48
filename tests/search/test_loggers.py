"""Candidates in TensorBoard and in MLflow, read back with each one's own reader."""

from pathlib import Path

import pytest

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError, OutputError, UsageError
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.loggers import Loggers, opened_logs, scalars_of
from tflite_squeeze.search.record import Loss, Trial

FIRST = Trial(
    number=1,
    stage="free",
    candidate=Candidate(quantize=Quantization.INT8),
    costs={"latency": 20.0},
    loss=Loss(measure="accuracy", drop=0.0, examples=100),
    seconds=2.0,
)
BEST = FIRST.model_copy(
    update={
        "number": 4,
        "stage": "short",
        "candidate": FIRST.candidate.model_copy(update={"keep": 0.5, "steps": 300}),
        "costs": {"latency": 10.0},
        "judged": Loss(measure="accuracy", drop=0.01, examples=50),
    }
)


def test_the_numbers_of_a_candidate() -> None:
    assert scalars_of(BEST) == {
        "cost/latency": 10.0, "loss/chosen_by": 0.0, "loss/judged_by": 0.01, "seconds": 2.0
    }  # fmt: skip
    lost = Trial(number=2, stage="short", candidate=FIRST.candidate, failures=("no file",))
    assert scalars_of(lost) == {"seconds": 0.0}


def test_tensorboard_has_scalars_by_candidate(tmp_path: Path) -> None:
    (log,) = opened_logs(Loggers(tensorboard=str(tmp_path / "events")), "net", tmp_path)
    log.add(FIRST, FIRST)
    log.add(BEST, BEST)
    from tensorflow import make_ndarray
    from tensorflow.python.summary.summary_iterator import summary_iterator

    found = {}
    for path in (tmp_path / "events").glob("events.*"):
        for event in summary_iterator(str(path)):
            for value in event.summary.value:
                found[event.step, value.tag] = make_ndarray(value.tensor).item()
    assert found[1, "cost/latency"] == 20.0
    assert found[4, "cost/latency"] == found[4, "best/latency"] == 10.0
    assert found[4, "loss/judged_by"] == pytest.approx(0.01)
    assert found[4, "candidate"] == b"narrowed to 50%, int8, short"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--tensorboard"):
        opened_logs(Loggers(tensorboard=str(tmp_path / "file" / "events")), "net", tmp_path)


@pytest.mark.slow
# MLflow's own use of SQLAlchemy.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow_has_a_run_for_each(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    loggers = Loggers(mlflow=str(tmp_path / "runs"))
    for _ in range(2):  # a search that goes on logs nothing twice
        (log,) = opened_logs(loggers, "net", tmp_path)
        log.add(FIRST, FIRST)
        log.add(BEST, BEST)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("net")
    runs = {one.data.tags["trial"]: one for one in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"1", "4"}
    assert runs["4"].data.metrics["cost/latency"] == 10.0
    assert runs["4"].data.params["keep"] == "0.5"
    assert runs["4"].info.run_name == "004 narrowed to 50%, int8"
    assert runs["4"].info.status == "FINISHED"
    with pytest.raises(InputError, match="MLflow at nosuch://x cannot be used"):
        opened_logs(Loggers(mlflow="nosuch://x"), "net", tmp_path)


def test_without_mlflow_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"pip install 'tflite_squeeze\[mlflow\]'"):
        opened_logs(Loggers(mlflow=str(tmp_path)), "net", tmp_path)
