"""What a search tells tools that draw experiments: TensorBoard, and MLflow if installed."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from tflite_squeeze.errors import InputError, OutputError, UsageError, reason_of
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.search.record import Trial


class Loggers(Frozen):
    """Where the candidates of a search are logged.

    Example:
        >>> Loggers(tensorboard="logs").mlflow is None
        True
    """

    tensorboard: str | None = Field(
        default=None,
        description="Log candidates for TensorBoard into this folder: what each costs and loses, "
        "and the best so far.",
    )
    mlflow: str | None = Field(
        default=None,
        description="Log candidates as runs of MLflow: the address of its server or database, or a "
        "folder, which gets mlflow.db.",
    )


class TrialLog(Protocol):
    """A tool that keeps candidates."""

    def add(self, trial: Trial, best: Trial) -> None:
        """Keeps a candidate that is finished, and which one is the best after it."""


def opened_logs(loggers: Loggers, name: str, folder: Path) -> list[TrialLog]:
    """The tools that are asked for, in this order: TensorBoard, MLflow.

    Args:
        loggers: which ones.
        name: of the search.
        folder: of the search; each has runs of its own.

    Raises:
        UsageError: MLflow is not installed.
        OutputError: the folder cannot be written.
        InputError: MLflow's server cannot be used.
    """
    found: list[TrialLog] = []
    if loggers.tensorboard is not None:
        found.append(TensorBoardLog(Path(loggers.tensorboard)))
    if loggers.mlflow is not None:
        found.append(MlflowLog(loggers.mlflow, name, folder))
    return found


def scalars_of(trial: Trial) -> dict[str, float]:
    """The numbers of a candidate, by name.

    Example:
        >>> scalars_of(trial)
        {'cost/latency': 12.5, 'loss/chosen_by': 0.004, 'seconds': 61.0}
    """
    found = {f"cost/{name}": value for name, value in trial.costs.items()}
    for name, loss in (("chosen_by", trial.loss), ("judged_by", trial.judged)):
        if loss is not None:
            found[f"loss/{name}"] = loss.drop
    return {**found, "seconds": trial.seconds}


class TensorBoardLog:
    """Scalars by the number of the candidate.

    Args:
        folder: gets the events.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._summary = tf.summary
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = tf.summary.create_file_writer(str(folder))
        except (OSError, tf.errors.OpError) as error:
            raise OutputError(
                f"cannot write to --tensorboard {folder} ({reason_of(error)}): name another folder"
            ) from error

    def add(self, trial: Trial, best: Trial) -> None:
        """Keeps a candidate."""
        with self._writer.as_default(step=trial.number):
            for name, value in scalars_of(trial).items():
                self._summary.scalar(name, value)
            for name, value in best.costs.items():
                self._summary.scalar(f"best/{name}", value)
            self._summary.text("candidate", f"{trial.candidate.text()}, {trial.stage}")
        self._writer.flush()


class MlflowLog:
    """A run for each candidate, in the search's experiment.

    Args:
        where: an address, or a folder.
        name: of the experiment.
        folder: of the search; its candidates are not logged twice.

    Raises:
        UsageError: MLflow is not installed.
        InputError: it cannot be used.
    """

    def __init__(self, where: str, name: str, folder: Path) -> None:
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise UsageError(
                f"--mlflow needs MLflow, which is not installed ({reason_of(error)}): pip install "
                f"'tflite_squeeze[mlflow]'"
            ) from error
        for each in ("mlflow", "alembic"):
            logging.getLogger(each).setLevel(logging.WARNING)
        self._where, self._search, self._errors = where, str(folder.resolve()), MlflowException
        self._client = self._tried(lambda: MlflowClient(tracking_uri=_address(where)))
        self._experiment = self._tried(lambda: self._experiment_of(name))

    def _tried(self, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except (self._errors, OSError) as error:
            raise InputError(
                f"MLflow at {self._where} cannot be used ({reason_of(error)}): see that it can be "
                f"reached, or leave out --mlflow"
            ) from error

    def _experiment_of(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def add(self, trial: Trial, best: Trial) -> None:
        """Keeps a candidate, unless it is there already."""
        self._tried(lambda: self._added(trial, best))

    def _added(self, trial: Trial, best: Trial) -> None:
        about = {"trial": str(trial.number), "search": self._search}
        known = " and ".join(f"tags.{name} = '{value}'" for name, value in about.items())
        if self._client.search_runs([self._experiment], filter_string=known):
            return
        run = self._client.create_run(
            self._experiment,
            run_name=f"{trial.number:03d} {trial.candidate.text()}",
            tags={**about, "stage": trial.stage, "passed": str(trial.passed)},
        )
        for name, value in trial.candidate.model_dump(mode="json").items():
            self._client.log_param(run.info.run_id, name, value)
        scalars = {**scalars_of(trial), **{f"best/{name}": one for name, one in best.costs.items()}}
        for name, value in scalars.items():
            self._client.log_metric(run.info.run_id, name, value)
        self._client.set_terminated(run.info.run_id)


def _address(where: str) -> str:
    """An address as it is; of a folder the database in it, as MLflow keeps no plain files."""
    if "://" in where:
        return where
    folder = Path(where)
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"
