"""The verb: searches for the best file under limits, and has the best so far on disk."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data
from tflite_squeeze.data.dividing import Divided, set_aside
from tflite_squeeze.doctor.doctor import package_versions
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.microcontrollers.ethos_u import check_vela
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, load_model
from tflite_squeeze.network.save import quietly
from tflite_squeeze.network.weights import check_patterns
from tflite_squeeze.page.contents import Contents
from tflite_squeeze.page.render import report_page
from tflite_squeeze.rebuilding.layers import with_layers_or_file
from tflite_squeeze.recipes.folder import RunFolder, data_sha256
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.objective import Tune, searchable
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.search.candidate import Candidate, zeros_pay
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.folder import (
    JOURNAL,
    PAGE,
    RECORD,
    REPORT,
    TRIAL_FILE,
    TRIAL_FILES,
    TRIAL_RECIPE,
    TuneState,
    asked_sha256,
    opened,
    put_front,
)
from tflite_squeeze.search.loggers import Loggers, TrialLog, opened_logs
from tflite_squeeze.search.measuring import estimated
from tflite_squeeze.search.page import tune_contents
from tflite_squeeze.search.promise import best_of, prediction_error, within
from tflite_squeeze.search.record import Stage, Trial, TuneRecord, front_of
from tflite_squeeze.search.study import Facts, Study, opened_study
from tflite_squeeze.search.tables import costs_text, loss_text, tune_tables
from tflite_squeeze.search.trial_process import Trials, inputs_for
from tflite_squeeze.search.workers import Workers
from tflite_squeeze.search.working import POLL_SECONDS, Worker, take_in
from tflite_squeeze.search.workshop import Workshop
from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.tflite.footprint import tensor_bytes

_ALIKE = 1.1  # times of two types of the file
_SAFETY = 1.2  # of the time that a trial is expected to take


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The result of a search.

    Attributes:
        tflite: the best file.
        record: the evidence.
        folder: where all of it is; None for a search without a folder.
    """

    tflite: bytes
    record: TuneRecord
    folder: Path | None

    def _repr_html_(self) -> str:
        return self.record._repr_html_()

    def check(self) -> None:
        """Raises an error where no file meets everything that was asked.

        Raises:
            CheckFailed: none does; the message names what the nearest one misses.
        """
        best = self.record.trial(self.record.best)
        if not best.passed:
            where = "" if self.folder is None else f": see {self.folder / PAGE}"
            raise CheckFailed(
                f"no file meets everything that was asked; the nearest, {best.candidate.text()}, "
                f"misses {'; '.join(best.failures)}{where}"
            )


@checked_arguments
def tune(
    model: Any,
    asked: Tune,
    data: Any,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    workers: Workers | None = None,
    loggers: Loggers | None = None,
    allow_unsafe: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Searches for the file that costs least under the limits.

    Candidates are chosen on examples that none of them is trained on, and one is kept only if it
    meets the limits on others too, on which nothing is chosen; see `data.dividing.set_aside`.

    Args:
        model: a Keras model of either version, a path to one or to a `.tflite` file, or a
            `LoadedModel`. What of a file has no Keras layer stays one: its weights are pruned and
            shared without training.
        asked: what to minimize, and limits.
        data: `Data` or anything that `load_data` takes, with labels or without.
        folder: where the best file, its recipe, its model and the report go; None keeps none of
            them.
        resume: go on where an interrupted search for the same, of the same model and data, ended.
        force: start again where the folder holds files.
        workers: where this process meets others that search for the same, each with a folder of its
            own; None to search alone.
        loggers: tools that draw experiments, which are told of each candidate.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
        on_progress: called with a line when something has changed.

    Returns:
        The best file and the evidence, whether it meets the limits or not: see `Tuned.check`.

    Raises:
        UsageError: the model and the data do not go together; or `protect` names no layer.
        InputError: one of them cannot be read.
        OutputError: the folder cannot be used.

    Example:
        >>> tuned = tune("models/resnet_8.keras", Tune(max_drop=0.005), "fashion-mnist", "best")
        >>> tuned.record.trial(tuned.record.best).candidate.text()
        'narrowed to 47%, int8'
    """
    searchable(data)
    if folder is None and resume:
        raise UsageError("resume needs the folder of the search that was interrupted: pass folder")
    if asked.on_npu:
        check_vela()
    source = with_layers_or_file(load_model(model, allow_unsafe=allow_unsafe))
    form = form_of(source)
    check_patterns(flavors.walk_layers(form.weights(source.model)), protect=asked.protect)
    samples = form.fitted(data)
    sha256 = data_sha256(samples)
    with temporary_folder() as scratch, quietly():
        fresh = TuneState(recipe=asked_sha256(asked), model=source.sha256, data=sha256)
        store = opened(
            scratch / "run" if folder is None else Path(folder),
            fresh,
            trials=asked.trials,
            inputs=[each for each in (source.path, samples.source) if each is not None],
            resume=resume,
            force=force,
        )
        facts = Facts(
            name=source.name,
            package=fresh.package,
            settings=fresh.recipe,
            model=fresh.model,
            data=fresh.data,
        )
        inputs = inputs_for(data, source, samples, sha256, scratch, allow_unsafe=allow_unsafe)
        with (
            opened_study(workers, store.folder / JOURNAL, facts, asked) as study,
            Trials(source, samples, inputs, scratch, allow_unsafe=allow_unsafe) as maker,
        ):
            logs = opened_logs(loggers or Loggers(), study.study.study_name, store.folder)
            search = _Search(store, asked, source, samples, study, logs, on_progress, maker)
            result = search.finished()
    return result if folder is not None else replace(result, folder=None)


class _Search:
    """One search, from where its folder says that it is."""

    def __init__(
        self,
        store: RunFolder,
        asked: Tune,
        source: LoadedModel,
        data: Data,
        study: Study,
        logs: Sequence[TrialLog],
        on_progress: Callable[[str], None] | None,
        maker: Trials,
    ) -> None:
        self._store, self._asked, self._source, self._data = store, asked, source, data
        self._parts: Divided = set_aside(data)
        self._study, self._logs = study, logs
        self._say = on_progress or (lambda _line: None)
        self._started = time.perf_counter() - store.state.seconds
        self._maker = maker
        self._shop = Workshop(
            store,
            asked,
            source,
            self._parts,
            self.tell,
            maker,
            measures=study.measures,
            shared=not study.alone,
        )
        self._notes: list[str] = [] if self._parts.apart else [
            "there are too few examples to choose and to judge on different ones: the loss is "
            "measured on those that candidates were chosen by"
        ]  # fmt: skip

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All that are finished, as far as this worker knows."""
        state = self._store.state
        assert isinstance(state, TuneState)
        return state.trials

    def finished(self) -> Tuned:
        """Runs what is left of the search."""
        take_in(self._study, self)
        if not self._study.measures and self._asked.is_timed:
            self._await_times()
        if not self._study.is_settled:
            self._without_any_training()
        first = self._first()
        if not self._asked.trials:  # then nothing is to be planned
            return self._written(first)
        settled = self._study.settled(lambda: self._settled(first))
        base = Candidate.model_validate(settled["base"])
        self._shop.settle_on(base)
        self._notes += settled["notes"]
        if within(first, self._asked):
            techniques = frozenset(settled["techniques"])
            trains = self._shop.trains
            choice = Choice(self._asked, techniques, base, self._study, trains=trains)
            worker = Worker(self._study, choice, self._asked, self, first, settled["free"])
            self._notes += worker.run()
        return self._written(self._first())

    def _await_times(self) -> None:
        """Waits until a worker that measures has timed the files without training."""
        while not self._study.is_settled:
            if self.left is not None and self.left <= 0:
                raise CheckFailed(
                    "no worker has measured latency in all the time: start one with --measure-here"
                )
            self.tell("waiting for a worker with --measure-here to time files without training")
            time.sleep(POLL_SECONDS)
        take_in(self._study, self)

    def _without_any_training(self) -> None:
        """Makes each type of file, the best ones also without dead channels and stored sparse.

        Where none passes, more types follow.
        """
        self._without_training(self._shop.without_training())
        best = self._first().candidate
        bases = [best.model_copy(update={"weight_bits": 8}), Candidate(quantize=Quantization.INT8)]
        self._without_training(self._shop.tidied(list(dict.fromkeys([best, *bases]))))
        self._without_training(self._shop.sparse())
        smaller = [one for one in self.trials if one.candidate.quantize is not Quantization.NONE]
        if not any(within(one, self._asked) for one in smaller):
            self._without_training(self._shop.rescues())

    def _without_training(self, candidates: Sequence[Candidate]) -> None:
        """Makes those that are not made yet."""
        for candidate in candidates:
            take_in(self._study, self)
            known = [one.candidate for one in self.trials if one.stage == "free"]
            if candidate not in known:
                trial = self.judged(self.make(candidate, "free", len(self.trials)))
                self._study.share_free(trial, self.files(trial))
                self.keep(trial)

    def _first(self) -> Trial:
        """The best that needed no training."""
        return best_of([one for one in self.trials if one.stage == "free"], self._asked)

    def _best(self) -> Trial:
        return best_of(self.trials, self._asked)

    def _settled(self, first: Trial) -> dict[str, Any]:
        """What all workers have in common."""
        base = self._base(first)
        self._shop.settle_on(base)
        techniques = sorted(self._shop.techniques) if within(first, self._asked) else []
        return {
            "base": base.model_dump(mode="json"),
            "techniques": techniques,
            "free": len(self.trials),
            "notes": list(self._shop.notes),
        }

    def _base(self, first: Trial) -> Candidate:
        """What all candidates have: the type of the best without training, or int8.

        Integers whose zeros and values are few compress best with one scale a tensor, as int8 has.
        Where times are alike, int8 gains more from fewer channels.
        """
        best = first.candidate.model_copy(update={"weight_bits": 8, "sparse": False})
        plain = best.model_copy(update={"quantize": Quantization.INT8})
        known = next((one for one in self.trials if one.candidate == plain), None)
        if known is None or not known.passed:
            return best
        if "latency" in self._asked.minimize:
            return plain if known.costs["latency"] <= _ALIKE * first.costs["latency"] else best
        return plain if zeros_pay(self._asked) else best

    def _tidying(self, first: Trial) -> list[str]:
        """What the best without training gained by having no dead channels."""
        if not first.candidate.tidied:
            return []
        before = first.candidate.model_copy(update={"tidied": False})
        known = next(one for one in self.trials if one.candidate == before)
        gained = f"{costs_text(known, self._asked)} → {costs_text(first, self._asked)}"
        return [f"{self._shop.dead} dead channels removed: {gained}"]

    def _of_the_npu(self, best: Trial) -> list[str]:
        """How figures for an Ethos-U came about, and what they leave out."""
        if not self._asked.on_npu or not best.costs:
            return []
        found = estimated(self._store.read(f"{best.folder}/{TRIAL_FILE}"), self._asked)
        notes = [
            f"time, memory and energy are estimates of Vela {found.vela} for {self._asked.target} "
            f"({found.system_config}, {found.memory_mode}); nothing was measured on a device"
        ]
        if found.cpu_operators:
            said = ", ".join(f"{one.name} ({one.reason})" for one in found.cpu_operators)
            notes.append(f"the processor beside the NPU has to run what they leave out: {said}")
        return notes

    def with_steps(self, candidate: Candidate, stage: Stage) -> Candidate:
        """A candidate with the length of its training."""
        return self._shop.with_steps(candidate, stage, self._trained)

    @property
    def _trained(self) -> list[Trial]:
        return [one for one in self.trials if one.stage != "free"]

    def twin(self, candidate: Candidate) -> Trial | None:
        """A trial that has the same structure as a candidate; None without one."""
        return self._shop.twin(candidate)

    def too_late(self, candidate: Candidate) -> bool:
        """Whether a candidate would be finished after the search has to be."""
        if self.left is None:
            return False
        if not candidate.steps:
            return self.left <= 0
        per_step = self._shop.seconds_per_step(self._trained)
        return candidate.steps * per_step * _SAFETY > self.left

    @property
    def left(self) -> float | None:
        """Seconds that are left; None where there is no limit."""
        if self._asked.seconds is None:
            return None
        return self._asked.seconds - (time.perf_counter() - self._started)

    def make(self, candidate: Candidate, stage: Stage, number: int) -> Trial:
        """Makes a candidate's file, and measures what this worker measures."""
        return self._shop.trial(candidate, stage, number)

    def timed(self, trial: Trial) -> Trial:
        """Measures the latency of a candidate whose files are here."""
        return self._shop.timed(trial)

    def judged(self, trial: Trial) -> Trial:
        """Judges what would be kept, on examples that nothing was chosen on."""
        kept = trial in front_of((*self.trials, trial), self._asked)
        return self._shop.judged(trial) if kept else trial

    def keep(self, trial: Trial) -> None:
        """Keeps a trial, and its file with the front and as the best where it is."""
        trials = tuple(sorted((*self.trials, trial), key=lambda one: one.number))
        seconds = time.perf_counter() - self._started
        self._store.write(
            self._store.state.model_copy(update={"trials": trials, "seconds": seconds})
        )
        if trial.passed and self._best().number == trial.number:
            self._shop.put_best(trial)
        put_front(self._store, front_of(self.trials, self._asked))
        for log in self._logs:
            log.add(trial, self._best())
        self.tell("")

    def files(self, trial: Trial) -> dict[str, Path]:
        """The files of a candidate, by name."""
        folder = self._store.folder / trial.folder
        return {name: folder / name for name in TRIAL_FILES if (folder / name).exists()}

    def receive(self, trial: Trial, files: Mapping[str, str]) -> None:
        """Fetches the files of a candidate that another worker made."""
        for name, content in self._study.fetched(files):
            self._store.put(f"{trial.folder}/{name}", content)

    def tell(self, doing: str) -> None:
        """Says in one line what there is, and what is done now."""
        made = [one for one in self.trials if one.loss is not None]
        line = doing
        if made:
            best, first = self._best(), self._first()
            line = (
                f"{first.candidate.text()}: {costs_text(first, self._asked)}; "
                f"now {costs_text(best, self._asked)} at {loss_text(best)}, "
                f"{sum(one.stage != 'free' for one in self.trials)} of {self._asked.trials} trials"
            )
            if self.left is not None:
                line += f", {max(0.0, self.left) / 60:.0f} min left"
            line += f"; {doing}" if doing else ""
        self._say(line)

    def _may_be_logits(self) -> bool:
        shapes = form_of(self._source).output_shapes
        return any(len(shape) == 2 and shape[-1] != 1 for shape in shapes)

    def _written(self, first: Trial) -> Tuned:
        """The report, and the best file."""
        best = self._best()
        self._notes += [*self._tidying(first), *self._of_the_npu(best)]
        if best.number == first.number:
            self._notes.append("nothing better than the file without training was found")
        if best.loss is not None and best.loss.measure == "noise" and self._may_be_logits():
            self._notes.append(
                "the answers are compared as numbers; if they are scores of classes (logits), of "
                "which the largest counts, ask for that: --logits"
            )
        record = TuneRecord(
            asked=self._asked,
            model=self._shop.about,
            data=self._data.describe(),
            apart=self._parts.apart,
            machine=this_machine(),
            packages=package_versions(),
            trials=self._shop.with_times(self.trials, {first.number, best.number}),
            first=first.number,
            best=best.number,
            prediction_error=prediction_error(self.trials),
            notes=(*self._notes, *self._maker.notes),
            seconds=time.perf_counter() - self._started,
        )
        self._store.put(REPORT, to_markdown(tune_tables(record)).encode())
        self._store.put(PAGE, report_page(self._contents(record)))
        self._store.put(RECORD, (record.model_dump_json(indent=2) + "\n").encode())
        tflite = self._store.read(f"{best.folder}/{TRIAL_FILE}")
        return Tuned(tflite=tflite, record=record, folder=self._store.folder)

    def _contents(self, record: TuneRecord) -> Contents:
        first, best = record.trial(record.first), record.trial(record.best)
        files = [self._store.read(f"{one.folder}/{TRIAL_FILE}") for one in (first, best)]
        recipe = self._store.read(f"{best.folder}/{TRIAL_RECIPE}").decode()
        return tune_contents(record, recipe, *(tensor_bytes(file) for file in files))
