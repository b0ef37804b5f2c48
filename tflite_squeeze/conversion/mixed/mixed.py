"""Files that are int8 but for the fewest layers: those without which the check would fail."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tflite_squeeze.conversion.calibration import calibrated_source, eight_bits
from tflite_squeeze.conversion.mixed.choice import half_as_many_more
from tflite_squeeze.conversion.mixed.file_search import FileSearch
from tflite_squeeze.conversion.mixed.judging import Judge
from tflite_squeeze.conversion.mixed.record import KeptInFloat, MixedRecord
from tflite_squeeze.conversion.mixed.search import Search, samples_for
from tflite_squeeze.conversion.mixed.units import Unit
from tflite_squeeze.conversion.planned import Twin, calibration_inputs, refuse_own_plan
from tflite_squeeze.data.data import Data
from tflite_squeeze.data.dividing import Divided, divided
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.endpoints import endpoints_of, fixed_specs
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.quantized import calibrated_inside
from tflite_squeeze.errors import RuntimeFailure, UnsupportedError, UsageError
from tflite_squeeze.network.graph import has_graph
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.in_float import without_layers
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.twin import float_model, plan_of_twin, twin_of
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.training.progress import Working
from tflite_squeeze.verification.limits import Verify, tolerance_of
from tflite_squeeze.verification.record import without_remedy

if TYPE_CHECKING:
    from tflite_squeeze.conversion.convert import Converted

# (what is converted in the model's place, samples, limits) → the file and its check.
Build = Callable[[Twin, Data, Verify], "Converted"]

_Unit = TypeVar("_Unit")
_MOST_FILES = 8
_UNLABELLED = (
    "there are no labels: the limit of accuracy is one of agreement with the model's own answers"
)
_NO_CLASSES = "the limit of accuracy applies to no output: none has labels or probabilities"
_ALL = "everything had to stay in float: --quantize float16 makes a smaller file that is as right"

_TOGETHER = (
    'what computes "inside" stays in float together; of a float file, convert FILE.tflite '
    "--quantize mixed chooses single operators there, which may take fewer bytes"
)


def mixed(
    source: LoadedModel,
    config: Convert,
    samples: Data,
    verify: Verify,
    build: Build,
    tell: Working,
) -> "Converted":
    """Converts to int8, and leaves in float what the check and the limits need.

    Args:
        source: the model, which `prepared` has seen.
        config: with the quantization "mixed".
        samples: to calibrate on, to choose by and, others of them, to judge the file on.
        verify: the limits.
        build: makes and checks a file.
        tell: of the progress.

    Returns:
        The first file that passes; where none does, the last that was tried.

    Raises:
        UsageError: the model is a quantized network, which has a plan of its own.
        UnsupportedError: the converter refuses the model.
    """
    refuse_own_plan(source, "--quantize mixed")
    started = time.perf_counter()
    parts = divided(samples)
    config = config.model_copy(update={"quantize": Quantization.INT8})
    notes: tuple[str, ...] = ()
    if verify.max_drop is not None and verify.min_agreement is None and not samples.labelled:
        verify = verify.model_copy(update={"min_agreement": 1 - verify.max_drop})
        notes = (_UNLABELLED,)
    work = _Mixing(source, config, parts, verify, build, tell, notes)
    found = work.run()
    seconds = time.perf_counter() - started
    return replace(found, record=found.record.model_copy(update={"convert_seconds": seconds}))


@dataclass
class _Mixing:
    """What all files share, and what was found so far."""

    source: LoadedModel
    config: Convert
    parts: Divided
    verify: Verify
    build: Build
    tell: Working
    notes: tuple[str, ...]
    files: int = 0
    int8: "Converted | None" = None
    int8_failures: tuple[str, ...] = ()
    calibrated_on: int = 0
    chosen_on: int = 0
    losses: dict[str, float] = field(default_factory=dict)

    def run(self) -> "Converted":
        first = Twin(source=self.source, config=self.config)
        if self.source.kind is ModelKind.TFLITE:
            self._everywhere(first)
            if self.int8 is not None and self.int8.record.passed:
                return self._recorded(self.int8, ())
            return self._searched_in_file()
        base, refusal = self._base_or_why_not()
        if base is not None and (self.config.keep_float or self.config.calibrate is not None):
            first = self._twin(*base)
        self._everywhere(first)
        if self.int8 is not None and self.int8.record.passed:
            return self._recorded(self.int8, ())
        if base is not None:
            return self._searched(*base)
        if self.int8 is None:
            raise UnsupportedError(f"{'; '.join(self.int8_failures)}; {refusal}")
        self.notes = (*self.notes, refusal)
        return self._recorded(self.int8, ())

    def _base_or_why_not(self) -> tuple[tuple[Any, QuantizationPlan] | None, str]:
        """What layers are looked for in, or why there are none to be found.

        The converter's calibrator ends the process at an infinite activation; this refuses it.
        """
        kinds = (ModelKind.KERAS, ModelKind.TF_KERAS)
        refusal = (
            f"layers that could stay in float are found in Keras models with a graph of layers, "
            f"and {self.source.name!r} is none"
        )
        if self.source.kind in kinds and has_graph(self.source.model):
            try:
                return self._base(), ""
            except UsageError as error:
                refusal = str(error)
        if self.config.keep_float or self.config.calibrate is not None:
            raise UsageError(refusal)
        return None, refusal

    def _everywhere(self, first: Twin) -> None:
        """The file that is int8 everywhere."""
        try:
            self.int8 = self._file(first)
        except UnsupportedError as error:
            self.int8_failures = (str(error).partition("\n")[0],)
            return
        check = self.int8.record.verification
        failures = check.failures if check is not None else ()
        self.int8_failures = tuple(without_remedy(one) for one in failures)

    def _file(self, given: Twin) -> "Converted":
        self.tell("checking files", self.files, _MOST_FILES)
        self.files += 1
        return self.build(given, self.parts.judging, self.verify)

    def _base(self) -> tuple[Any, QuantizationPlan]:
        """The network, and the plan of 8 bits for all that may have them."""
        network, choosing = folded(self.source.model), self.parts.choosing
        plan = eight_bits(network, per_channel_dense=self.config.per_channel_dense)
        plan = without_layers(plan, self.source.model, network, self.config.keep_float)
        if self.config.calibrate is not None:
            twin, record = calibrated_source(self.source, self.config, choosing, plan)
            self.calibrated_on = record.samples
            return float_model(twin.model), plan_of_twin(twin.model)
        inputs = calibration_inputs(self.source, self.config, choosing)
        self.calibrated_on = len(next(iter(inputs.values())))
        return network, calibrated(network, inputs, "mse", plan)

    def _searched(self, network: Any, plan: QuantizationPlan) -> "Converted":
        """The file of the fewest units in float, with more and more of them until it passes."""
        search = self._search(network, plan)
        self.losses = search.losses
        found = None
        for kept, inside in self._attempts(search):
            try:
                found = self._file(self._twin(network, search.plan_with(kept), kept, inside))
            except UnsupportedError:
                if len(kept) == len(search.order):
                    raise
            if found is not None and found.record.passed:
                break
        if found is None:
            raise ValueError("there was nothing to try")
        if not search.plan_with(kept).activations:
            self.notes = (*self.notes, _ALL)
        elif inside:
            self.notes = (*self.notes, _TOGETHER)
        others = (KeptInFloat(name=one, kind="inside") for one in inside)
        return self._recorded(found, (*search.told(kept), *others))

    def _searched_in_file(self) -> "Converted":
        """The same of a `.tflite` file, whose units are its operators."""
        tolerance = tolerance_of(self.verify, Quantization.INT8)
        search = FileSearch(self.source, self.config, self.parts.choosing, tolerance, self.tell)
        self.losses, self.chosen_on = search.losses, search.chosen_on
        self.calibrated_on = search.calibrated_on
        kept = search.fewest()
        while True:
            named = (*self.config.keep_float, *(one.keep for one in kept))
            config = self.config.model_copy(update={"keep_float": tuple(dict.fromkeys(named))})
            found = self._file(Twin(source=self.source, config=config))
            if found.record.passed or len(kept) == len(search.order):
                break
            kept = self._more(search.order, kept)
        if len(kept) == len(search.order):
            self.notes = (*self.notes, _ALL)
        return self._recorded(found, search.told(kept))

    def _attempts(self, search: Search) -> Iterator[tuple[Sequence[Unit], Sequence[str]]]:
        """What might stay in float: units, and layers that compute inside by no range of a plan."""
        kept = search.fewest()
        whole = self._twin(search.network, search.plan).source
        inside = tuple(one.partition(" (")[0] for one in calibrated_inside(whole))
        if not kept:
            yield kept, ()  # the converter calibrates what is inside
        if kept or inside:
            yield kept, inside
        while len(kept) < len(search.order):
            plan = search.plan_with(kept)
            kept = self._more(search.order, kept)
            if search.plan_with(kept) != plan:
                yield kept, inside

    def _more(self, order: list[_Unit], kept: Sequence[_Unit]) -> list[_Unit]:
        """The units to leave in float next; all of them for the last file."""
        return half_as_many_more(order, kept) if self.files < _MOST_FILES else order

    def _search(self, network: Any, plan: QuantizationPlan) -> Search:
        (endpoint,) = endpoints_of(self.source)
        specs = fixed_specs(endpoint, self.config.batch, self.config.input_shapes)
        fitted = self.parts.choosing.fitted_to(specs)
        sample = fitted.sample("validation", samples_for(network, plan))
        self.chosen_on = sample.count
        original = folded(self.source.model)
        judge = Judge(
            original,
            answers_of(original, sample.inputs),
            sample.labels,
            tolerance_of(self.verify, Quantization.INT8),
        )
        if self.verify.max_drop is not None and not judge.counts_classes:
            self.notes = (*self.notes, _NO_CLASSES)
        return Search(network, plan, sample.inputs, judge, self.tell)

    def _twin(
        self,
        network: Any,
        plan: QuantizationPlan,
        kept: Sequence[Unit] = (),
        inside: Sequence[str] = (),
    ) -> Twin:
        twin = twin_of(network, plan)
        round_biases(twin)
        named = (*self.config.keep_float, *(one.name for one in kept), *inside)
        return Twin(
            source=replace(self.source, model=twin),
            config=self.config.model_copy(
                update={"plan": plan, "keep_float": tuple(dict.fromkeys(named))}
            ),
            examples=self.calibrated_on,
        )

    def _recorded(self, found: "Converted", kept: tuple[KeptInFloat, ...]) -> "Converted":
        """The file with what was found in its record."""
        files = {"mixed": found.tflite}
        if self.int8 is not None and self.int8 is not found:
            files["int8"] = self.int8.tflite
        times = _times(files) if len(files) == 2 else {}
        record = MixedRecord(
            kept=kept,
            losses=self.losses,
            int8_failures=self.int8_failures,
            int8_bytes=None if self.int8 is None else len(self.int8.tflite),
            passed=found.record.passed,
            bytes=len(found.tflite),
            int8_us=times.get("int8"),
            us=times.get("mixed"),
            calibrated_on=self.calibrated_on,
            chosen_on=self.chosen_on,
            apart=self.parts.apart,
            files=self.files,
            notes=self.notes,
        )
        return replace(found, record=found.record.model_copy(update={"mixed": record}))


def _times(files: dict[str, bytes]) -> dict[str, float]:
    """Median microseconds of a run; none where the runtime refuses one of them."""
    try:
        return in_turns(files)
    except RuntimeFailure:
        return {}
