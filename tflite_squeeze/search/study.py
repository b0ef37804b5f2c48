"""Optuna's study of a search: what each candidate is, what came of it, and who works on it.

Everything that workers tell each other is in attributes of the study and of its trials, as text and
numbers that `optuna-dashboard` shows; files are in Optuna's artifact store.

    trial   stage, candidate, worker, costs, loss, passed; record: all of it as JSON
            files: names of files in the artifact store
            waits: "to be measured" where a worker has trained it that does not measure
    study   settings; settled: what all candidates have in common; free NN: files without training
            worker NAME: counts up while that worker lives
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from tflite_squeeze.errors import InputError, UsageError, reason_of
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.record import Trial
from tflite_squeeze.search.workers import Workers

STORAGE_ERRORS = (StorageInternalError, SQLAlchemyError, OSError)
TO_BE_MEASURED = "to be measured"
# A worker that has not been heard of for so long is dead: conversions can keep all threads waiting.
BEAT_SECONDS, GRACE_SECONDS = 10.0, 120.0
_GONE = "gone"
# A trial that ended so many workers is not begun again.
_MOST_TAKEN_UP = 2
_TRIES, _SECONDS_BETWEEN = 5, 1.0  # where workers make the tables of a database at the same time


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a study is of: workers of anything else are refused.

    Attributes:
        name: of the model.
        package: version of this package; settings, model, data: hashes.
    """

    name: str
    package: str
    settings: str
    model: str
    data: str


class Study:
    """A search's study, and this process as one of its workers.

    Args:
        study: Optuna's.
        artifacts: where files are; None where no other machine needs them.
        measures: whether this worker measures latency; trains: whether it trains candidates.
        alone: whether no other process works on the study.
    """

    def __init__(
        self,
        study: optuna.Study,
        artifacts: Path | None,
        *,
        measures: bool = True,
        trains: bool = True,
        alone: bool = True,
    ) -> None:
        self.study, self.alone, self.measures, self.trains = study, alone, measures, trains
        self.worker = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._files = None if artifacts is None else FileSystemArtifactStore(artifacts)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beats, daemon=True)
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> Self:
        self._beat(0)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._beat_quietly(_GONE)

    def _beats(self) -> None:
        count = 0
        while not self._stop.wait(BEAT_SECONDS):
            count += 1
            self._beat_quietly(count)

    def _beat(self, count: int | str) -> None:
        about = {"beat": count, "measures": self.measures, "trains": self.trains}
        self.study.set_user_attr(f"worker {self.worker}", about)

    def _beat_quietly(self, count: int | str) -> None:
        """A beat that is lost is no harm; where the storage is, what comes next says so."""
        try:
            self._beat(count)
        except STORAGE_ERRORS:
            return

    def others(self) -> list[Mapping[str, Any]]:
        """The other workers that live, as far as it is known."""
        attrs = self.study.user_attrs
        names = [name for name in attrs if name.startswith("worker ")]
        return [
            attrs[name]
            for name in names
            if name != f"worker {self.worker}" and self._lives(name, attrs[name]["beat"])
        ]

    def _lives(self, name: str, beat: Any) -> bool:
        """Whether something has changed of late; by this machine's clock, as others may differ."""
        if beat == _GONE:
            return False
        known, since = self._seen.get(name, (None, 0.0))
        if known != (beat,):
            self._seen[name] = (beat,), time.monotonic()
            return True
        return time.monotonic() - since <= GRACE_SECONDS

    def settled(self, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What all candidates have in common: what the first worker that knows it says.

        Args:
            make: says it.
        """
        found: dict[str, Any] = self.study.user_attrs.get("settled") or {}
        if not found:
            found = make()
            self.study.set_user_attr("settled", found)
        return found

    @property
    def is_settled(self) -> bool:
        """Whether some worker has made all files that need no training."""
        return "settled" in self.study.user_attrs

    def share_free(self, trial: Trial, files: Mapping[str, Path]) -> None:
        """Tells what came of a file without training.

        Args:
            trial: what was found.
            files: those of its folder, by name.
        """
        about = {"record": trial.model_dump(mode="json"), "files": self._sent(self.study, files)}
        self.study.set_user_attr(f"free {trial.number:02d}", about)

    def begin(self, asked: optuna.Trial, stage: str, candidate: str) -> None:
        """Says that this worker makes a candidate.

        Args:
            asked: Optuna's trial.
            stage: how far it is trained.
            candidate: in words.
        """
        about = {"worker": self.worker, "stage": stage, "candidate": candidate}
        for name, value in about.items():
            if asked.user_attrs.get(name) != value:  # each is a transaction of its own
                asked.set_user_attr(name, value)

    def note(self, asked: optuna.Trial, trial: Trial, files: Mapping[str, Path] | None) -> None:
        """Keeps in the study what is known of a candidate.

        Args:
            asked: Optuna's trial.
            trial: what was found.
            files: those of its folder, by name; None where they are there already.
        """
        if files is None:  # it waited until now
            asked.set_user_attr("waits", "")
        else:
            asked.set_user_attr("files", self._sent(asked, files))
        if trial.loss is not None:
            asked.set_user_attr("loss", trial.loss.drop)
        asked.set_user_attr("costs", trial.costs)
        asked.set_user_attr("passed", trial.passed)
        asked.set_user_attr("record", trial.model_dump(mode="json"))

    def _sent(
        self, where: optuna.Trial | optuna.Study, files: Mapping[str, Path]
    ) -> dict[str, str]:
        if self._files is None:
            return {}
        return {
            name: upload_artifact(
                artifact_store=self._files, file_path=str(path), study_or_trial=where
            )
            for name, path in files.items()
        }

    def leave_to_measure(self, asked: optuna.Trial) -> None:
        """Leaves a candidate that is trained to the workers that measure."""
        asked.set_user_attr("waits", TO_BE_MEASURED)

    def to_measure(self) -> list[FrozenTrial]:
        """The candidates that wait to be measured."""
        return [one for one in self.running() if one.user_attrs.get("waits")]

    def finish(self, asked: optuna.Trial, values: list[float]) -> bool:
        """Ends a candidate.

        Args:
            asked: Optuna's trial.
            values: of what is minimized.

        Returns:
            Whether it was still this worker's: one that was thought dead has lost it to another.
        """
        try:
            self.study.tell(asked, values)
        except (ValueError, UpdateFinishedTrialError):
            return False
        return True

    def give_back(self, asked: optuna.Trial, stage: str) -> None:
        """Puts a candidate back that is not made for want of time: a longer search may make it.

        Args:
            asked: Optuna's trial.
            stage: how far it was to be trained.
        """
        self.study.tell(asked, state=TrialState.FAIL)
        self.study.enqueue_trial(asked.params, user_attrs={"stage": stage})

    def finish_as(self, asked: optuna.Trial, twin: Trial, values: list[float]) -> None:
        """Ends a candidate that need not be made, since another one is the same.

        Args:
            asked: Optuna's trial.
            twin: what came of the other one.
            values: of what is minimized.
        """
        asked.set_user_attr("same as", twin.number)
        self.finish(asked, values)

    def running(self) -> list[FrozenTrial]:
        """The candidates that are made, or wait to be measured."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def begun(self) -> int:
        """How many candidates are finished or being made."""
        states = (TrialState.RUNNING, TrialState.COMPLETE)
        begun = self.study.get_trials(deepcopy=False, states=states)
        return sum("same as" not in one.user_attrs for one in begun)

    def results(self) -> Iterator[tuple[Trial, dict[str, str]]]:
        """All that is known to be finished: trials, and names of their files in the store."""
        attrs = self.study.user_attrs
        for name in sorted(one for one in attrs if one.startswith("free ")):
            yield Trial.model_validate(attrs[name]["record"]), attrs[name]["files"]
        for one in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if "record" in one.user_attrs:
                yield record_of(one), one.user_attrs.get("files", {})

    def fetched(self, files: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
        """Files from the store.

        Args:
            files: their names in the store, by name.

        Raises:
            InputError: one is not there.
        """
        if self._files is None:
            return
        for name, there in files.items():
            try:
                with self._files.open_reader(there) as reader:
                    yield name, reader.read()
            except (OSError, ArtifactNotFound) as error:
                raise InputError(
                    f"{name} of another worker is not in the shared folder ({reason_of(error)}): "
                    f"give all workers the same --artifacts"
                ) from error

    def take_up(self) -> int:
        """Puts the candidates of dead workers back, to be made by whoever asks next.

        Returns:
            How many there were.
        """
        attrs = self.study.user_attrs
        taken = 0
        for one in self.running():
            name = one.user_attrs.get("worker")
            if name == self.worker or one.user_attrs.get("waits"):
                continue
            beat = attrs.get(f"worker {name}", {}).get("beat")
            # A worker that was ended before it said so has its trial's number alone.
            mark = f"worker {name}" if name else f"trial {one.number}"
            if self.alone or not self._lives(mark, beat):
                taken += self._put_back(one)
        return taken

    def _put_back(self, one: FrozenTrial) -> bool:
        try:
            self.study.tell(one.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # another worker was faster
            return False
        params = one.params or one.system_attrs.get("fixed_params")
        taken_up = one.user_attrs.get("taken up", 0)
        if not params or taken_up >= _MOST_TAKEN_UP:
            return False
        about = {"stage": one.user_attrs.get("stage", "short"), "taken up": taken_up + 1}
        self.study.enqueue_trial(params, user_attrs=about)
        return True


def record_of(one: FrozenTrial) -> Trial:
    """What a trial of Optuna's says about a candidate.

    Args:
        one: finished, or waiting to be measured.
    """
    return Trial.model_validate(one.user_attrs["record"])


@contextmanager
def opened_study(
    workers: Workers | None, journal: Path, facts: Facts, asked: Tune
) -> Iterator[Study]:
    """A search's study: in a journal of its own folder, or where other workers share it.

    Args:
        workers: where they meet; None for a search of this process alone.
        journal: the file for that.
        facts: what the study is of.
        asked: what is searched for.

    Raises:
        InputError: the storage cannot be used.
        UsageError: the study is of something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    where = _shown(workers) if workers else str(journal)
    try:
        with _storage(workers, journal) as storage:
            study = _joined(storage, workers, facts, asked, where)
            if workers is None:
                one = Study(study, None)
            else:
                _refuse_others(study, facts, where)
                Path(workers.files).mkdir(parents=True, exist_ok=True)
                one = Study(
                    study,
                    Path(workers.files),
                    measures=workers.measures,
                    trains=not workers.measure_only,
                    alone=False,
                )
            with one:
                yield one
    except (StorageInternalError, SQLAlchemyError) as error:
        raise InputError(
            f"the storage {where} cannot be used ({reason_of(error)}): see that it can be reached, "
            f"and give the same command with --resume"
        ) from error


def _shown(workers: Workers) -> str:
    """The storage's name without a password."""
    if not workers.is_database:
        return workers.storage
    try:
        return make_url(workers.storage).render_as_string(hide_password=True)
    except SQLAlchemyError as error:
        raise UsageError(
            f"storage is no URL of a database ({reason_of(error)}): write one, such as "
            f"postgresql://user@host/name"
        ) from error


@contextmanager
def _storage(workers: Workers | None, journal: Path) -> Iterator[BaseStorage]:
    if workers is None or not workers.is_database:
        path = journal if workers is None else Path(workers.storage)
        yield _journal(path, alone=workers is None)
        return
    storage = _database(workers)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _journal(path: Path, *, alone: bool) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if alone and path.exists():
            _cut_torn_line(path)
        return JournalStorage(JournalFileBackend(str(path)))
    except JSONDecodeError as error:
        raise _damaged(str(path), error, alone=alone) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} cannot be used as a journal ({reason_of(error)}): name another file"
        ) from error


def _damaged(where: str, error: JSONDecodeError, *, alone: bool) -> InputError:
    remedy = "start again with --force, or in another folder" if alone else "name another"
    return InputError(f"{where} is damaged ({reason_of(error)}): {remedy}")


def _cut_torn_line(path: Path) -> None:
    """Takes away the end of a line that a killed process did not write whole."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _database(workers: Workers) -> RDBStorage:
    """Optuna's tables in a database; two workers may make them at the same time."""
    url = make_url(workers.storage)
    if url.drivername == "postgresql":
        # Without an encoding, the driver gives bytes where the database was made with none.
        url = url.set(drivername="postgresql+psycopg").update_query_dict(
            {"client_encoding": "utf8"}
        )
    text = url.render_as_string(hide_password=False)
    for left in reversed(range(_TRIES)):
        try:
            return RDBStorage(text, engine_kwargs={"pool_pre_ping": True})
        except (ImportError, NoSuchModuleError) as error:
            raise UsageError(
                f"storage {_shown(workers)} needs a driver that is not installed "
                f"({reason_of(error)}): for PostgreSQL, pip install 'tflite_squeeze[postgres]'"
            ) from error
        except (StorageInternalError, SQLAlchemyError):
            if not left:
                raise
            time.sleep(_SECONDS_BETWEEN)
    raise AssertionError("the last try returns or raises")


def _joined(
    storage: BaseStorage, workers: Workers | None, facts: Facts, asked: Tune, where: str
) -> optuna.Study:
    name = workers.study if workers else None
    try:
        return optuna.create_study(
            study_name=name or f"{facts.name}-{facts.model[:8]}-{facts.data[:8]}",
            storage=storage,
            directions=["minimize"] * len(asked.minimize),
            load_if_exists=True,
        )
    except JSONDecodeError as error:
        raise _damaged(where, error, alone=workers is None) from error


def _refuse_others(study: optuna.Study, facts: Facts, where: str) -> None:
    """Says what the study is of, or refuses to work on that of something else."""
    ours = {"package": facts.package, "settings": facts.settings,
            "model": facts.model, "data": facts.data}  # fmt: skip
    theirs = study.user_attrs.get("of")
    if theirs is None:
        study.set_user_attr("of", ours)
        return
    for what, value in ours.items():
        if theirs.get(what) != value:
            name = "version of this package" if what == "package" else what
            raise UsageError(
                f"study {study.study_name} in {where} is a search with other {name}: give the "
                f"same, or pass --study NAME for another search"
            )
