"""A search in PostgreSQL: two workers, of which one is killed in the middle of a trial."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tests.search.postgres import server
from tests.search.sleeping_bench import work
from tflite_squeeze.errors import InputError
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import study as shared
from tflite_squeeze.search import working
from tflite_squeeze.search.workers import Workers

WORKER = Path(__file__).with_name("sleeping_bench.py")
TRIALS = 8


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with server() as url:
        yield url


def _started(database: str, tmp_path: Path, name: str, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WORKER), database, str(tmp_path / name),
               "--artifacts", str(tmp_path / "files"), "--trials", str(TRIALS), *more]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_is_taken_up(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = _started(database, tmp_path, "killed", "--seconds", "60")
    assert killed.stdout is not None
    begun = next(line for line in killed.stdout if line.startswith("begin"))
    other = _started(database, tmp_path, "other", "--seconds", "0.1")
    assert other.stdout is not None
    next(line for line in other.stdout if line.startswith("begin"))  # both are at work
    killed.kill()
    killed.wait()
    killed.stdout.close()
    said = other.communicate(timeout=60)[0]
    assert other.returncode == 0
    _, number, stage, keep = begun.split()
    assert f"{stage} {keep}\n" in said  # the same candidate
    end = said.splitlines()[-1].split()
    assert (end[0], int(end[1])) == ("end", TRIALS + 1)

    url = f"{database.replace('postgresql:', 'postgresql+psycopg:')}&client_encoding=utf8"
    storage = RDBStorage(url)
    study = optuna.load_study(study_name=None, storage=storage)
    lost = study.trials[int(number) - 1]
    assert lost.state is TrialState.FAIL
    assert any(one.user_attrs.get("taken up") == 1 for one in study.trials)
    finished = [one for one in study.trials if one.state is TrialState.COMPLETE]
    assert len(finished) == TRIALS
    assert all("latency" in one.user_attrs["costs"] for one in finished)
    storage.engine.dispose()

    # Who comes later has all of it.
    monkeypatch.setattr(working, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(shared, "GRACE_SECONDS", 0.5)
    asked = Tune(trials=TRIALS)
    workers = Workers(storage=database, artifacts=str(tmp_path / "files"), measure_here=True)
    bench, _ = work(workers, tmp_path / "late", asked)
    best, content = bench.best(asked)
    assert best.number == int(end[3])
    assert content == (tmp_path / "other" / best.folder / "file.tflite").read_bytes()


@pytest.mark.slow
def test_a_database_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(shared, "_SECONDS_BETWEEN", 0.0)
    storage = f"postgresql://me:secret@/none?host={tmp_path}"
    workers = Workers(storage=storage, artifacts=str(tmp_path / "files"))
    with pytest.raises(InputError, match="cannot be used") as caught:
        work(workers, tmp_path / "one", Tune())
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
