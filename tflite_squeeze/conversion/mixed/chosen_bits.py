"""Files whose layers have 8, 4 or 2 bits a weight: the fewest bytes within the limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.conversion.few_bits import bits_for, integers_of, refuse_quantized
from tflite_squeeze.conversion.mixed.bit_moves import Move
from tflite_squeeze.conversion.mixed.bits_record import BitsRecord, LayerBits
from tflite_squeeze.conversion.mixed.bits_search import BitsSearch
from tflite_squeeze.conversion.mixed.judging import Judge
from tflite_squeeze.conversion.planned import Twin
from tflite_squeeze.data.data import Data, Part, Sample
from tflite_squeeze.data.dividing import halves
from tflite_squeeze.emission.calibration.adjusting import FREE_SCALES
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.low_bit.grids import grids_of
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.network.graph import graph_of, has_graph
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import WeightBits
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.training.progress import Working
from tflite_squeeze.verification.limits import Verify, tolerance_of

if TYPE_CHECKING:
    from tflite_squeeze.conversion.convert import Converted

# (what is converted in the model's place, samples, limits) → the file and its check.
Build = Callable[[Twin, Data | None, Verify | None], "Converted"]

_ALL: tuple[WeightBits, ...] = (8, 4, 2)
_MEASURED_ON = 1024
_JUDGED_ON = 5000
_FEWEST_HELD_OUT = 1000
_MOST_FILES = 6
_DROP = 0.01  # of accuracy, where no other limit was given


def with_chosen_bits(
    source: LoadedModel,
    config: Convert,
    samples: Data | None,
    verify: Verify | None,
    build: Build,
    tell: Working,
) -> "Converted":
    """Converts with as few bits for the weights of each layer as the limits allow.

    Layers are measured alone, each in each number of bits, with its rounding made up for. They get
    fewer bits in the order of the least loss for a byte; how many of these moves pass together is
    found by trying, each within the limits by one standard error more, and fewer are taken where
    the file then fails its check.

    Args:
        source: the model, in float32.
        config: with weight bits "auto"; says what is minimized.
        samples: to round on and, others of them, to choose by: half of those held back from
            training where these are enough, of which the other half judges the file.
        verify: the limits; a loss of 1 % of accuracy without one.
        build: makes and checks a file.
        tell: of the progress.

    Returns:
        The first file that passes, or the one with 8 bits everywhere.

    Raises:
        UsageError: the model is a quantized network or none with a graph of Keras layers, or there
            are no samples.
    """
    refuse_quantized(source)
    graphed = source.kind in (ModelKind.KERAS, ModelKind.TF_KERAS) and has_graph(source.model)
    if not graphed or samples is None:
        lacks = "samples: pass --data" if graphed else "a Keras model with a graph of layers"
        raise UsageError(
            f"--weight-bits auto measures what each layer of {source.name!r} loses, which needs "
            f"{lacks}, or give --weight-bits 4"
        )
    work = _Choosing(source, config, samples, verify, build, tell)
    return work.run()


@dataclass
class _Choosing:
    """What all files share."""

    source: LoadedModel
    config: Convert
    samples: Data
    verify: Verify | None
    build: Build
    tell: Working

    def __post_init__(self) -> None:
        fitted = self.samples.fitted_to(input_specs(self.source.model))
        self.rounding, self.choosing = _parts(fitted, self.config.calibration_samples)
        self.held_out = _holds_back_enough(fitted)
        if self.held_out:
            raw = fitted.raw
            first, second = halves(raw.validation)
            held = fitted.with_parts(validation=first, calibration=raw.calibration)
            self.choosing = held.sample("validation", _JUDGED_ON)
            self.samples = self.samples.with_parts(validation=second, calibration=raw.calibration)
        limits = self.verify or Verify()
        self.max_drop = _DROP if limits.max_drop is None else limits.max_drop
        update: dict[str, float] = {"max_drop": self.max_drop}
        if limits.min_agreement is None and self.choosing.labels is None:
            update["min_agreement"] = 1 - self.max_drop
        self.limits = limits.model_copy(update=update)

    def run(self) -> "Converted":
        search = self._search()
        done, files = search.fewest_bytes(), 0
        while True:
            found = self.build(self._twin(search, done), self.samples, self.verify)
            files += 1
            if found.record.passed or not done:
                break
            done = [] if files == _MOST_FILES - 1 else done[: -max(1, len(done) // 8)]
        record = self._record(search, done, files)
        return replace(found, record=found.record.model_copy(update={"bits": record}))

    def _search(self) -> BitsSearch:
        network = folded(self.source.model)
        few = _picked(self.choosing, slice(_MEASURED_ON))
        whole = self._judge(network, self.choosing)

        def passes(rounded: Any) -> bool:
            return whole.surely_passes(answers_of(rounded, self.choosing.inputs))

        return BitsSearch(
            network,
            self._allowed(network),
            self.rounding.inputs,
            few.inputs,
            self._judge(network, few),
            passes,
            self.tell,
        )

    def _judge(self, network: Any, sample: Sample) -> Judge:
        limits = tolerance_of(self.limits, self.config.quantize)
        return Judge(network, answers_of(network, sample.inputs), sample.labels, limits)

    def _allowed(self, network: Any) -> dict[str, list[WeightBits]]:
        found = {}
        for node in graph_of(network).nodes.values():
            if node.kind in FREE_SCALES and node.layer not in found:
                bits = {bits_for(node, self.config, one) for one in _ALL}
                found[node.layer] = sorted(bits, reverse=True)
        return found

    def _twin(self, search: BitsSearch, done: Sequence[Move]) -> Twin:
        if self.config.quantize is Quantization.INT8:
            return integers_of(self.source, self.config, search.plan(done), self.samples)
        made = search.rounded(done)
        return Twin(
            source=replace(self.source, model=made.model),
            config=self.config,
            grids=tuple(grids_of(made.model, made.plan)),
        )

    def _record(self, search: BitsSearch, done: Sequence[Move], files: int) -> BitsRecord:
        bits: Mapping[str, int] = search.bits(done)
        layers = []
        for layer, choices in search.choices.items():
            losses = {one.bits: one.loss for one in choices}
            sizes = {one.bits: one.bytes for one in choices}
            layers.append(
                LayerBits(layer=layer, bits=bits[layer], bytes=sizes[bits[layer]], losses=losses)
            )
        return BitsRecord(
            layers=tuple(layers),
            max_drop=self.max_drop,
            chosen_on=self.choosing.count,
            held_out=self.held_out,
            labelled=self.choosing.labels is not None,
            files=files,
        )


def _holds_back_enough(data: Data) -> bool:
    """Whether there are samples besides those of the training, and enough for two halves.

    Networks are surer of what they were trained on, and lose less of it.
    """
    raw = data.raw
    if raw.train is None or raw.validation is raw.train:
        return False
    return (raw.validation.count or 0) >= _FEWEST_HELD_OUT


def _parts(data: Data, count: int) -> tuple[Sample, Sample]:
    """Samples to round on and others to choose by, none of those that judge the file.

    Args:
        data: fitted to the model.
        count: how many to round on; as many as to choose by where there are few.
    """
    part: Part = "calibration" if data.train is None else "train"
    whole = data.sample(part, count + _MEASURED_ON)
    order = np.random.default_rng(0).permutation(whole.count)
    first = min(count, -(-whole.count // 2))
    rest = order[first:] if len(order) > first else order
    return _picked(whole, order[:first]), _picked(whole, rest)


def _picked(sample: Sample, places: Any) -> Sample:
    def pick(values: Any) -> Any:
        return values[places]

    inputs = {name: pick(values) for name, values in sample.inputs.items()}
    labels = None if sample.labels is None else tf.nest.map_structure(pick, sample.labels)
    return Sample(inputs=inputs, labels=labels)
