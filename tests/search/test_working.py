"""Workers share a search: what each does, what the others see, what is refused."""

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from pydantic import ValidationError

from tests.search.sleeping_bench import FACTS, SleepingBench, work
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import study as shared
from tflite_squeeze.search import working
from tflite_squeeze.search.study import opened_study
from tflite_squeeze.search.workers import Workers

ASKED = Tune(trials=6)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(shared, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(working, "POLL_SECONDS", 0.02)


def _workers(tmp_path: Path, **more: Any) -> Workers:
    return Workers(storage=str(tmp_path / "shared" / "study.journal"), **more)


def _read(tmp_path: Path) -> optuna.Study:
    """The study with plain Optuna."""
    path = tmp_path / "shared" / "study.journal"
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(study_name=None, storage=storage)


def test_who_comes_later_has_the_same_best_file(tmp_path: Path) -> None:
    workers = _workers(tmp_path, measure_here=True)
    one, _ = work(workers, tmp_path / "one", ASKED)
    other, _ = work(workers, tmp_path / "other", ASKED)
    assert len([line for line in one.said if line.startswith("begin")]) == 6
    assert not any(line.startswith("begin") for line in other.said)
    assert other.trials == one.trials
    assert other.best(ASKED) == one.best(ASKED)


def test_plain_optuna_reads_the_study(tmp_path: Path) -> None:
    bench, _ = work(_workers(tmp_path, measure_here=True), tmp_path / "one", ASKED)
    study = _read(tmp_path)
    assert study.study_name == "net-33333333-44444444"
    best, _ = bench.best(ASKED)
    found = study.trials[best.number - 1]
    assert found.state is TrialState.COMPLETE
    assert found.user_attrs["stage"] == best.stage
    assert found.user_attrs["candidate"] == best.candidate.text()
    assert found.user_attrs["costs"] == best.costs
    assert found.user_attrs["passed"] is True
    assert found.constraints["over the limit"] <= 0
    assert found.params["keep"] == pytest.approx(best.candidate.keep, abs=5e-4)
    assert optuna.artifacts.get_all_artifact_meta(found, storage=study._storage)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    workers = _workers(tmp_path, measure_here=True)
    work(workers, tmp_path / "one", ASKED)
    for change in ("settings", "package"):
        facts = FACTS.__class__(**{**vars(FACTS), change: "9"})
        with pytest.raises(UsageError, match=f"other {change.replace('package', 'version')}.*NAME"):
            work(workers, tmp_path / "two", ASKED, facts=facts)
    named = workers.model_copy(update={"study": "another"})
    work(
        named, tmp_path / "three", ASKED, facts=FACTS.__class__(**{**vars(FACTS), "settings": "9"})
    )


def test_one_trains_and_another_measures(tmp_path: Path) -> None:
    """A slow target measures what waits; its own search finds nothing to train."""
    notes = work(_workers(tmp_path), tmp_path / "fast", ASKED)[1]
    assert notes == [
        "6 candidates were trained and not measured: start a worker with --measure-here, then this "
        "command again with --resume"
    ]
    waiting = _read(tmp_path).get_trials(states=(TrialState.RUNNING,))
    assert [one.user_attrs["waits"] for one in waiting] == ["to be measured"] * 6
    assert "latency" not in waiting[0].user_attrs["costs"]
    slow, _ = work(_workers(tmp_path, measure_only=True), tmp_path / "slow", ASKED)
    assert not any(line.startswith("begin") for line in slow.said)
    assert all("latency" in one.costs for one in slow.trials)
    assert not any(one.user_attrs["waits"] for one in _read(tmp_path).trials)
    fast, notes = work(_workers(tmp_path), tmp_path / "again", ASKED)
    assert notes == []
    assert fast.trials == slow.trials
    assert fast.best(ASKED) == slow.best(ASKED)


def test_that_nobody_measures_is_said(tmp_path: Path) -> None:
    bench, _ = work(_workers(tmp_path), tmp_path / "fast", ASKED)
    line = "6 candidates wait to be measured, and no worker measures: start one with --measure-here"
    assert line in bench.said


def test_the_trial_of_a_worker_that_is_gone_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SleepingBench.make

    def interrupted(bench: Any, candidate: Any, stage: Any, number: int) -> Any:
        if number == 3:
            raise KeyboardInterrupt
        return known(bench, candidate, stage, number)

    workers = _workers(tmp_path, measure_here=True)
    monkeypatch.setattr(SleepingBench, "make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work(workers, tmp_path / "one", ASKED)
    monkeypatch.undo()
    lost = _read(tmp_path).trials[2]
    assert lost.state is TrialState.RUNNING
    bench, _ = work(workers, tmp_path / "two", ASKED)
    trials = _read(tmp_path).trials
    assert trials[2].state is TrialState.FAIL
    assert trials[3].params == lost.params
    assert trials[3].user_attrs["taken up"] == 1
    assert len([one for one in bench.trials if one.stage != "free"]) == 6


def test_a_worker_that_still_lives_keeps_its_trial(tmp_path: Path) -> None:
    workers = _workers(tmp_path, measure_here=True)
    journal = tmp_path / "unused"
    with opened_study(workers, journal, FACTS, ASKED) as one:
        asked = one.study.ask()
        one.begin(asked, "short", "a candidate")
        with opened_study(workers, journal, FACTS, ASKED) as other:
            assert other.take_up() == 0
            assert len(other.others()) == 1
            assert other.finish(optuna.Trial(other.study, asked._trial_id), [1.0])
        assert not one.finish(asked, [2.0])  # it was told already


def test_a_storage_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used as a journal"):
        work(Workers(storage=str(tmp_path / "file" / "j")), tmp_path / "one", ASKED)
    with pytest.raises(ValidationError, match="name a folder that all workers see"):
        Workers(storage="postgresql://host/name")
    wrong = Workers(storage="nosuch://me:secret@host/name", artifacts=str(tmp_path / "files"))
    with pytest.raises(UsageError, match=r"nosuch://me:\*\*\*@host/name") as caught:
        work(wrong, tmp_path / "one", ASKED)
    assert "secret" not in str(caught.value)


def test_what_there_was_no_time_for_comes_first_in_a_longer_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SleepingBench, "too_late", lambda _bench, _candidate: True)
    bench, notes = work(None, tmp_path, ASKED)
    assert bench.said == []
    assert notes == ["the time was used up"]
    monkeypatch.undo()
    again, _ = work(None, tmp_path, ASKED)
    begun = [line.split()[2:] for line in again.said if line.startswith("begin")]
    assert begun[0] == ["short", "0.6"]
    assert len(begun) == len({tuple(one) for one in begun}) == 6


def test_a_journal_with_a_line_that_was_not_finished_goes_on(tmp_path: Path) -> None:
    work(None, tmp_path, Tune(trials=2))
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    for torn in (whole + b'{"op_code": 6, "worker', whole[:-15]):
        journal.write_bytes(torn)
        shutil.rmtree(tmp_path / "trials")
        bench, _ = work(None, tmp_path, ASKED)
        assert [one.candidate.keep for one in bench.trials[1:3]] == [0.6, 0.35]
        assert len(bench.trials) == 7


def test_a_damaged_journal_is_one_line(tmp_path: Path) -> None:
    work(None, tmp_path, Tune(trials=1))
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    for damaged in (b"{no JSON\n" + whole, whole + b"{no JSON\n"):
        journal.write_bytes(damaged)
        with pytest.raises(InputError, match=r"journal is damaged .*: start again with --force"):
            work(None, tmp_path, ASKED)
