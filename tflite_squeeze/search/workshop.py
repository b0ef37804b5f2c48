"""Where candidates are made: their plans, trainings, files, and what these cost and lose."""

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tflite_squeeze.conversion.convert import source_of
from tflite_squeeze.conversion.record import Source
from tflite_squeeze.data.data import Data
from tflite_squeeze.data.dividing import Divided
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.errors import SqueezeError, UsageError
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.network.save import saved_bytes
from tflite_squeeze.recipes.files import dump_recipe, load_recipe
from tflite_squeeze.recipes.folder import RunFolder
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.search.candidate import (
    Candidate,
    budget_of,
    channels_at_once,
    recipe_of,
    stores_sparse,
)
from tflite_squeeze.search.folder import (
    BEST,
    BEST_MODEL,
    BEST_RECIPE,
    TRIAL_FILE,
    TRIAL_MODEL,
    TRIAL_RECIPE,
)
from tflite_squeeze.search.limits import failures_of
from tflite_squeeze.search.measuring import costs_of, loss_of
from tflite_squeeze.search.planning import Planning
from tflite_squeeze.search.promise import alike
from tflite_squeeze.search.record import Loss, Stage, Trial
from tflite_squeeze.search.trial import MadeFile
from tflite_squeeze.search.trial_process import Trials
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import Narrowed, narrow
from tflite_squeeze.techniques.registry import techniques
from tflite_squeeze.tflite.footprint import tensor_bytes
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.parts import examples_of
from tflite_squeeze.training.plan import planned

_LEAST_STEPS, _MOST_STEPS = 300, 900  # of a short training
_SHORT_PASSES, _LONGER = 2, 4
_LONGER_PRICED = 8  # bytes get fewer for as long as they have a price
# Of the whole time, what one training may take, but for a few steps.
_MOST_OF_TIME, _FEWEST_STEPS = 0.2, 30
_BRIEF = 10.0  # µs of a run
_OF_AN_ANSWER = 4  # times that of a batch's answers: there and back, and the teacher's


class _Planned(NamedTuple):
    """Widths, and what they were predicted to cost, by name."""

    config: Narrow | None
    predicted: dict[str, float]


class Workshop:
    """Makes the files of candidates.

    Args:
        store: the folder of the search.
        asked: what is searched for.
        source: the model that was given.
        parts: data to train and choose on, and data to judge by, fitted to the model.
        tell: of the progress within a trial.
        maker: makes the files of recipes.
        measures: whether latency is measured on this machine.
        shared: whether other machines work on the search: plans are by what is the same on all.
    """

    def __init__(
        self,
        store: RunFolder,
        asked: Tune,
        source: LoadedModel,
        parts: Divided,
        tell: Callable[[str], None],
        maker: Trials,
        *,
        measures: bool = True,
        shared: bool = False,
    ) -> None:
        self._store, self._asked, self._source, self._parts = store, asked, source, parts
        self._tell, self._maker = tell, maker
        self._measures, self._shared = measures, shared
        self._batch = planned(FineTune(), examples_of(parts.choosing)).batch or 1
        self._first: tuple[bytes, float] | None = None
        self._base = Candidate(quantize=Quantization.INT8)

    @property
    def about(self) -> Source:
        """What a record says about the model."""
        return source_of(self._source)

    def without_training(self) -> list[Candidate]:
        """The candidates that need none: types of the file."""
        kinds = [Quantization.NONE, Quantization.INT8]
        if self._asked.on_npu:  # it computes nothing in float
            kinds = [Quantization.INT8]
        if self._asked.target == "cpu":
            kinds.append(Quantization.DYNAMIC)
        found = [Candidate(quantize=kind) for kind in kinds]
        small = not {"download", "raw"}.isdisjoint(self._asked.minimize)
        if small and "few-bits" in self._asked.techniques and self._asked.target == "cpu":
            found += [
                Candidate(quantize=kind, weight_bits=4)
                for kind in (Quantization.INT8, Quantization.DYNAMIC)
                if self.trains or kind is Quantization.DYNAMIC  # integers of 4 bits need layers
            ]
        return found

    def rescues(self) -> list[Candidate]:
        """What is tried where none of those passes."""
        if self._asked.on_npu:
            return [Candidate(quantize=Quantization.INT16X8)]
        if self._asked.target != "cpu":
            return []
        return [Candidate(quantize=kind) for kind in (Quantization.FLOAT16, Quantization.MIXED)]

    def tidied(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same without dead channels; none where the model has none of these.

        Args:
            candidates: that need no training.
        """
        if self._tidied is None:
            return []
        return [one.model_copy(update={"tidied": True}) for one in candidates]

    def sparse(self) -> list[Candidate]:
        """What was made and passes, stored sparse where that makes a file smaller."""
        if not stores_sparse(self._asked):
            return []
        passing = [one for one in self._trials if one.passed and not one.candidate.sparse]
        files = [self._store.read(f"{one.folder}/{TRIAL_FILE}") for one in passing]
        return [
            one.candidate.model_copy(update={"sparse": True})
            for one, file in zip(passing, files, strict=True)
            if sparsify(file, "smallest").plan.sparse_tensors
        ]

    @property
    def dead(self) -> int:
        """How many channels of the model are dead."""
        if self._tidied is None:
            return 0
        return sum(one.before - one.after for one in self._tidied.record.groups)

    def settle_on(self, base: Candidate) -> None:
        """Says what all candidates have in common, before any of them is planned."""
        self._base = base

    @cached_property
    def _tidied(self) -> Narrowed | None:
        """The model without dead channels; None where it has none, or may not be narrowed."""
        if "narrow" not in self._asked.techniques or not self.trains:
            return None
        self._tell("looking for dead channels")
        try:
            return narrow(self._source.model, self._tidy, self._parts.choosing, one_shot=True)
        except UsageError:
            return None

    @property
    def _tidy(self) -> Narrow:
        """Removes dead channels; kernels compute so many channels at a time."""
        fast = not {"latency", "energy"}.isdisjoint(self._asked.minimize)
        multiple = channels_at_once(self._asked) if fast else 1
        return Narrow(multiple=multiple, protect=self._asked.protect)

    @property
    def _model(self) -> Any:
        """What all candidates start from."""
        if self._base.tidied and self._tidied is not None:
            return self._tidied.model
        return self._source.model

    @property
    def trains(self) -> bool:
        """Whether candidates are trained; the weights of a file without layers change at once."""
        return self._source.kind is not ModelKind.TFLITE

    @property
    def techniques(self) -> frozenset[str]:
        """What can be searched with."""
        if self.trains:
            return self.planning.techniques
        return self._asked.techniques & {one.name for one in techniques() if one.elementwise}

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to know of how candidates are planned."""
        return tuple(self.planning.notes) if self.trains else self._source.notes

    @cached_property
    def planning(self) -> Planning:
        """What narrowing and factorizing can do to the model that candidates start from."""
        asked = self._planned_for
        data = self._parts.choosing
        planning = Planning(self._model, asked, self._base, data, self._tell, self._store)
        if asked is not self._asked:
            reason = (
                "times differ between machines" if self._shared
                else "so short a run is timed too coarsely"
            )  # fmt: skip
            planning.notes.append(f"widths are planned by multiplications, since {reason}")
        return planning

    @property
    def _planned_for(self) -> Tune:
        """What plans are for: times differ between machines, and short ones from turn to turn."""
        if "latency" not in self._asked.minimize or not (self._shared or self._is_brief):
            return self._asked
        return self._asked.model_copy(update={"minimize": ("macs",)})

    @property
    def _base_trial(self) -> Trial | None:
        """The file without training that all candidates start from."""
        return next((one for one in self._trials if one.candidate == self._base), None)

    @property
    def _is_brief(self) -> bool:
        """Whether a run is so short that what a few channels save cannot be told from noise."""
        base = self._base_trial
        return base is not None and base.costs.get("latency", math.inf) < _BRIEF

    def with_steps(self, candidate: Candidate, stage: Stage, trained: list[Trial]) -> Candidate:
        """A candidate with the length of its training.

        Args:
            candidate: its other numbers.
            stage: "short" or "whole".
            trained: trials that show how long a step takes.
        """
        if not candidate.trains or not self.trains:
            return candidate.model_copy(update={"steps": 0})
        examples = examples_of(self._parts.choosing) or _MOST_STEPS * self._batch
        passes = math.ceil(_SHORT_PASSES * examples / self._batch)
        short = min(_MOST_STEPS, max(_LEAST_STEPS, passes))
        longer = _LONGER_PRICED if candidate.prices else _LONGER
        steps = short if stage == "short" else short * longer
        if self._asked.seconds is not None:
            fitting = round(_MOST_OF_TIME * self._asked.seconds / self.seconds_per_step(trained))
            steps = max(_FEWEST_STEPS, min(steps, fitting))
        return candidate.model_copy(update={"steps": steps})

    def seconds_per_step(self, trained: Sequence[Trial]) -> float:
        """How long a step of training takes, with all that a trial does beside.

        Args:
            trained: trials; without any, the time is estimated from the model's answers.
        """
        known = [one for one in trained if one.candidate.steps]
        if not known:
            return self._estimated
        return sum(one.seconds for one in known) / sum(one.candidate.steps for one in known)

    @cached_property
    def _estimated(self) -> float:
        inputs = self._parts.choosing.sample("calibration", self._batch).inputs
        times = []
        for _ in range(2):  # the first one has everything to set up
            began = time.perf_counter()
            answers_of(self._model, inputs)
            times.append(time.perf_counter() - began)
        return _OF_AN_ANSWER * min(times)

    def trial(self, candidate: Candidate, stage: Stage, number: int) -> Trial:
        """Makes a candidate's file, and measures it.

        Args:
            candidate: its numbers.
            stage: how far it is trained.
            number: of the trial.
        """
        began = time.perf_counter()
        what = f"{candidate.text()}, {stage}" if candidate.trains else candidate.text()
        self._tell(what)
        trial = Trial(number=number, stage=stage, candidate=candidate)
        try:
            planned = self._planned(candidate)
            trial = trial.model_copy(update={"predicted": planned.predicted})
            recipe = self._recipe(candidate, planned.config, number)
            self._store.put(f"{trial.folder}/{TRIAL_RECIPE}", dump_recipe(recipe).encode())
            made = self._maker.made(
                recipe, lambda step, done, of: self._tell(f"{what}: {step}, {done} of {of}")
            )
            update = self._measured(trial, made)
        except SqueezeError as error:
            update = {"failures": (str(error),)}
        update["seconds"] = time.perf_counter() - began
        return trial.model_copy(update=update)

    def twin(self, candidate: Candidate) -> Trial | None:
        """A trial of the same widths: widths have steps, so that many budgets lead to the same.

        Args:
            candidate: of a first look.

        Returns:
            The first look of another candidate, or the file without training where the widths of
            all layers stay; None where there is no such trial.
        """
        widths = self._widths(candidate) if candidate.narrows else {}
        rest = _without_widths(candidate)
        if not widths and not rest.trains:
            return self._base_trial
        if not candidate.narrows:
            return None
        looks = [one for one in self._trials if one.stage == "short" and one.candidate.narrows]
        return next(
            (
                one
                for one in looks
                if _without_widths(one.candidate) == rest and self._widths(one.candidate) == widths
            ),
            None,
        )

    def _widths(self, candidate: Candidate) -> dict[str, float]:
        config = self._planned(candidate).config
        assert config is not None  # it narrows
        return dict(config.layers)

    def _measured(self, trial: Trial, made: MadeFile) -> dict[str, Any]:
        if made.tflite is None:
            return {"failures": made.failures}
        self._store.put(f"{trial.folder}/{TRIAL_FILE}", made.tflite)
        if made.model:
            self._store.put(f"{trial.folder}/{TRIAL_MODEL}", made.model)
        costs = self._costs(made.tflite)
        kind = trial.candidate.quantize
        loss = self._loss(made.tflite, self._parts.choosing, kind)
        failures = (
            *(f"check: {line}" for line in made.failures),
            *failures_of(costs, loss, self._asked),
        )
        return {"costs": costs, "loss": loss, "failures": failures}

    def _loss(self, tflite: bytes, data: Data, kind: Quantization) -> Loss:
        return loss_of(self._source, tflite, data, kind, logits=self._asked.logits)

    def _costs(self, tflite: bytes) -> dict[str, float]:
        timed = self._measures and self._asked.is_timed
        beside = self._timed_beside() if timed else None
        return costs_of(tflite, self._asked, beside, timed=timed)

    def with_times(self, trials: Sequence[Trial], shown: set[int]) -> tuple[Trial, ...]:
        """The trials, some of them with their times where nothing was chosen by these.

        Args:
            trials: of the search.
            shown: numbers of those that are timed, in turns.
        """
        if self._asked.is_timed or self._asked.target != "cpu" or not self._measures:
            return tuple(trials)
        files = {
            str(one.number): self._store.read(f"{one.folder}/{TRIAL_FILE}")
            for one in trials if one.number in shown
        }  # fmt: skip
        times = in_turns(files)
        return tuple(
            one.model_copy(update={"costs": {**one.costs, "latency": times[str(one.number)]}})
            if one.number in shown else one
            for one in trials
        )  # fmt: skip

    def timed(self, trial: Trial) -> Trial:
        """A trial of another worker with its latency, measured here.

        Args:
            trial: trained; its file is in the folder.
        """
        self._tell(f"timing {trial.candidate.text()}")
        assert trial.loss is not None  # else there is nothing to time
        try:
            costs = self._costs(self._store.read(f"{trial.folder}/{TRIAL_FILE}"))
        except SqueezeError as error:
            return trial.model_copy(update={"failures": (*trial.failures, str(error))})
        failures = (
            *(line for line in trial.failures if line.startswith("check: ")),
            *failures_of(costs, trial.loss, self._asked),
        )
        return trial.model_copy(update={"costs": costs, "failures": failures})

    def _timed_beside(self) -> tuple[bytes, float] | None:
        """The first file of the search and its time, beside which the others are timed."""
        if self._first is None:
            for trial in self._trials:
                if "latency" in trial.costs:
                    content = self._store.read(f"{trial.folder}/{TRIAL_FILE}")
                    self._first = content, trial.costs["latency"]
                    break
        return self._first

    def _planned(self, candidate: Candidate) -> _Planned:
        """The widths of a candidate: those of an earlier trial of it, else of a plan."""
        if not candidate.narrows:
            return _Planned(None, {})
        for one in self._trials:
            path = self._store.folder / one.folder / TRIAL_RECIPE
            if alike(one.candidate, candidate) and path.exists():
                steps = load_recipe(path).steps
                narrows = [step.config for step in steps if step.technique == "narrow"]
                return _Planned(narrows[-1], one.predicted)
        plan = self.planning.narrowed(candidate.keep)
        numbers = {"keep": candidate.keep, "steps": candidate.steps}
        alone = candidate == self._base.model_copy(update=numbers)
        return _Planned(plan.config, self._predicted(plan.predicted) if alone else {})

    def _predicted(self, share: float) -> dict[str, float]:
        """What a file with a share of the base's time, multiplications or weights costs."""
        base = self._base_trial
        if base is None or not base.costs:
            return {}
        unit = budget_of(self._planned_for)
        if unit != "bytes":
            return {unit: share * base.costs[unit]}
        tensors = tensor_bytes(self._store.read(f"{base.folder}/{TRIAL_FILE}"))
        return {"raw": base.costs["raw"] - (1 - share) * sum(one.bytes for one in tensors)}

    @property
    def _trials(self) -> tuple[Trial, ...]:
        return getattr(self._store.state, "trials", ())

    def _recipe(self, candidate: Candidate, plan: Narrow | None, number: int) -> Recipe:
        recipe = recipe_of(
            candidate,
            self._asked,
            tidy=self._tidy,
            narrow=plan,
            batch=self._batch,
            name=f"tuned-{number:03d}",
        )
        return recipe.resolved()

    def judged(self, trial: Trial) -> Trial:
        """A trial that would be the best, on the examples that nothing was chosen on."""
        if not self._parts.apart:
            return trial.model_copy(update={"judged": trial.loss})
        self._tell(f"judging {trial.candidate.text()}")
        tflite = self._store.read(f"{trial.folder}/{TRIAL_FILE}")
        loss = self._loss(tflite, self._parts.judging, trial.candidate.quantize)
        failures = tuple(
            f"on examples that were not chosen by, {line}"
            for line in failures_of(trial.costs, loss, self._asked)
        )
        return trial.model_copy(update={"judged": loss, "failures": failures})

    def put_best(self, trial: Trial) -> None:
        """Writes a trial's file, recipe and model as the best ones.

        Args:
            trial: the best so far.
        """
        recipe, tflite = (
            self._store.read(f"{trial.folder}/{name}") for name in (TRIAL_RECIPE, TRIAL_FILE)
        )
        if self.trains:
            kept = f"{trial.folder}/{TRIAL_MODEL}"
            changed = trial.candidate.changes
            model = self._store.read(kept) if changed else saved_bytes(self._source.model)
            self._store.put(BEST_MODEL, model)
        self._store.put(BEST_RECIPE, recipe)
        self._store.put(BEST, tflite)


def _without_widths(candidate: Candidate) -> Candidate:
    """What a candidate is but for its budget of widths and the length of its training."""
    return candidate.model_copy(update={"keep": 1.0, "steps": 0})
