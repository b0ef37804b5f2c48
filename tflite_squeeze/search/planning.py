"""What narrowing and factorizing can do to a model, found out before any training."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from tflite_squeeze.conversion.model_times import TimedBeside
from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.quantization import Timed
from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.recipes.folder import RunFolder
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate, budget_of, channels_at_once, factorizing
from tflite_squeeze.search.folder import WIDTHS
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.narrowing.allocation import Singles
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.plans import Plan, Plans

_SHARE = 0.15  # of a search's time, for measuring each layer alone
# What factorizing may leave when it is tried, and the share of a cost that gains nothing.
_TRIED, _NOTHING = (0.5, 0.75), 0.95


class _Measured(Frozen):
    """What is known of each group of channels alone, and how that was measured."""

    tidied: bool
    config: Narrow
    singles: Singles


class Planning:
    """Plans the structure of candidates.

    Args:
        model: the Keras model that all candidates start from.
        asked: what is searched for.
        base: what all candidates have in common.
        data: to choose on, fitted to the model.
        tell: of the progress.
        store: the folder of the search, where measurements are kept.

    Attributes:
        notes: what else to know of the decisions.
    """

    def __init__(
        self,
        model: Any,
        asked: Tune,
        base: Candidate,
        data: Data,
        tell: Callable[[str], None],
        store: RunFolder,
    ) -> None:
        self._model, self._asked, self._base = model, asked, base
        self._data, self._tell, self._store = data, tell, store
        self.notes: list[str] = []

    @cached_property
    def techniques(self) -> frozenset[str]:
        """What can be searched with: what is asked for and does something to this model."""
        found = set(self._asked.techniques)
        if "narrow" in found and self._plans is None:
            found.discard("narrow")
        # Factors take memory for what is between them: more, not less.
        if "factorize" in found and ("ram" in self._asked.costs or not self._factorizing_pays()):
            found.discard("factorize")
        return frozenset(found)

    def narrowed(self, keep: float) -> Plan:
        """The widths for a cost, where the model can be narrowed.

        Args:
            keep: share of the cost that may be left, or of what of it can be saved.
        """
        assert self._plans is not None  # else there is no such candidate
        return self._plans.at(self._plans.reachable(keep))

    @cached_property
    def _plans(self) -> Plans | None:
        """Widths of the model; None where no layer can get narrower."""
        config = Narrow(
            budget=budget_of(self._asked),
            measure=self._timed_as,
            keep=0.5,
            multiple=channels_at_once(self._asked),
            protect=self._asked.protect,
        )
        try:
            return Plans(
                self._model,
                config,
                self._data,
                lambda done, of: self._tell(f"measuring layers, {done} of {of}"),
                None if self._asked.seconds is None else _SHARE * self._asked.seconds,
                before=self._measured_before(config),
                keep=lambda singles: self._keep(config, singles),
            )
        except UsageError:
            return None

    def _measured_before(self, config: Narrow) -> Singles | None:
        """What the search had measured when it was interrupted; None where that was nothing."""
        if not (self._store.folder / WIDTHS).exists():
            return None
        known = _Measured.model_validate_json(self._store.read(WIDTHS))
        alike = (known.tidied, known.config) == (self._base.tidied, config)
        return known.singles if alike else None

    def _keep(self, config: Narrow, singles: Singles) -> None:
        known = _Measured(tidied=self._base.tidied, config=config, singles=singles)
        self._store.put(WIDTHS, known.model_dump_json().encode())

    @property
    def _timed_as(self) -> Timed:
        """The type of the files that plans are timed with: that of the candidates."""
        kind = self._base.quantize.value
        return "int8" if kind == "mixed" else cast(Timed, kind)

    def _factorizing_pays(self) -> bool:
        """Whether factors cost less than layers, and lose less than narrowing to the same cost."""
        self._tell("trying factors")
        for keep in _TRIED:
            try:
                return self._pays_at(factorizing(keep, self._asked))
            except UsageError:  # no layer can be factorized, or not to so little
                continue
        return False

    def _pays_at(self, config: Factorize) -> bool:
        timed = budget_of(self._asked) == "latency"
        if timed and not self._faster(config):
            return False
        made, record = factorize(self._model, config, self._data, one_shot=True)
        share = record.macs_ratio if config.budget == "macs" else record.parameters_ratio
        if timed:
            share = self._time_of(made)
        plans = self._plans if "narrow" in self._asked.techniques else None
        if share > _NOTHING or plans is None:
            return share <= _NOTHING
        plan, apart = plans.at(share), plans.divergence(made)
        if plan.cost <= share and plan.divergence <= apart:
            self.notes.append(
                f"factors are left out: at {share:.0%} of the cost the answers are {apart:.2g} "
                f"from the model's, and {plan.divergence:.2g} with fewer channels"
            )
            return False
        return True

    def _faster(self, config: Factorize) -> bool:
        """Whether a file with factors of any ranks takes less time: the values do not matter."""
        plain = Factorize(
            macs_ratio=config.keep,
            multiple=config.multiple,
            protect=config.protect,
            data_aware=False,
            repair=False,
        )
        made, record = factorize(self._model, plain, one_shot=True)
        share = self._time_of(made)
        if share > _NOTHING:
            self.notes.append(
                f"factors are left out: with {record.macs_ratio:.0%} of the multiplications a run "
                f"takes {share:.0%} of the time"
            )
        return share <= _NOTHING

    def _time_of(self, made: Any) -> float:
        return TimedBeside(self._model, self._base.quantize).shares([made])[0]
