"""What a conversion's options say of single tensors of a file: in float, in 8 bits or in 16."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.from_file.integers import Calibrated
from tflite_squeeze.emission.from_file.kept import Kept, kept_in_float, kept_tensors
from tflite_squeeze.emission.from_file.ranges import (
    calibrated_ranges,
    histograms_of,
    ranges_by,
    with_ranges,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.quantization.plan import (
    ActivationBits,
    ActivationQuantization,
    QuantizationPlan,
)
from tflite_squeeze.runtime.observing import Batches
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.quantization_plan import plan_of

_LAYERS_ONLY = (
    "ranges are those of the method; to equalize channels, to round weights anew and to correct "
    "biases takes the Keras model's layers"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a file's tensors.

    Attributes:
        kept: what stays in float.
        wide: names of those that get 16 bits.
        points: what a plan says of the others and of these, by name.
    """

    kept: Kept = field(default_factory=Kept)
    wide: frozenset[str] = frozenset()
    points: Mapping[str, ActivationQuantization] = field(default_factory=dict)


def wanted_of(plain: bytes, config: Convert) -> Wanted:
    """What options say of the tensors of a float file.

    Args:
        plain: the file, each operator of which puts out a tensor with a name.
        config: the options.

    Raises:
        UsageError: a pattern matches nothing, or the plan names what the file does not have or
            says what cannot be.
    """
    kept, points = Kept(), dict[str, ActivationQuantization]()
    if config.plan is not None:
        there = plan_of(plain)
        _refuse_strangers(config.plan, there)
        points = {name: one for name, one in config.plan.activations.items() if one.bits}
        kept = kept_tensors(plain, there.activations.keys() - points.keys())
        kept = kept.with_operators(_readers_of_floats(plain, config.plan, there))
    if config.keep_float:
        kept = kept.and_also(kept_in_float(plain, config.keep_float))
    wide = {name for name, one in points.items() if one.bits == 16}
    if config.keep_int16:
        wide |= kept_in_float(plain, config.keep_int16, "keep_int16").values
    return Wanted(kept=kept, wide=frozenset(wide - kept.values), points=points)


def _refuse_strangers(plan: QuantizationPlan, there: QuantizationPlan) -> None:
    for what, named, known in (
        ("weight", plan.weights, there.weights),
        ("activation", plan.activations, there.activations),
    ):
        for name in named:
            if name not in known:
                nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
                raise UsageError(
                    f"the plan names the {what} {name!r}, which the file does not have: the "
                    f"nearest are {', '.join(map(repr, nearest)) or 'none'}"
                )
    for name, weight in plan.weights.items():
        if weight.bits not in (8, None) or weight.scale is not None or weight.zero_point:
            raise UsageError(
                f"the plan gives {name!r} {weight.bits} bits, a scale or a zero point, and weights "
                f"of files get 8 bits and the scales of their largest values: leave the rest out"
            )


def _readers_of_floats(
    plain: bytes, plan: QuantizationPlan, there: QuantizationPlan
) -> frozenset[str]:
    """What operators put out whose weights a plan leaves in float."""
    floats = {name for name in there.weights if not getattr(plan.weights.get(name), "bits", None)}
    model, found = read_model(plain), set[str]()
    for links in (Links(model, subgraph) for subgraph in range(len(model.subgraphs))):
        for operator in range(len(links.names)):
            names = {text(links.graph.tensors[at].name) for at in links.inputs(operator)}
            if names & floats:
                found.add(text(links.graph.tensors[links.outputs(operator)[0]].name))
    return frozenset(found)


def with_wanted_ranges(
    work: Calibrated, wanted: Wanted, config: Convert, calibration: Mapping[str, Batches]
) -> tuple[Calibrated, tuple[float, ...], tuple[str, ...]]:
    """A calibrated file with other ranges than those of the least and the greatest values.

    Args:
        work: the float file with these.
        wanted: of its tensors.
        config: says by which method ranges are chosen.
        calibration: as in `calibrated`.

    Returns:
        The file, the steps of 16 bits that integers of 8 have in it, and notes.
    """
    opened = any(one.low is None for one in wanted.points.values())
    found = calibrated_ranges(work.tflite)
    ranges: dict[str, ActivationQuantization] = {}
    notes: tuple[str, ...] = ()
    if config.calibrate is not None or opened:
        # Of a file, "auto" is the least squared error: any method's range may have it.
        asked = config.calibrate
        method: Method = "mse" if asked is None or asked == "auto" else asked
        bits: dict[str, ActivationBits] = dict.fromkeys(wanted.wide, 16)
        ranges = ranges_by(method, histograms_of(work.tflite, calibration), bits)
        notes = (_LAYERS_ONLY,) if config.calibrate == "auto" else ()
    for name in wanted.wide & found.keys():
        known = ranges.get(name, found[name])
        ranges[name] = known.model_copy(update={"bits": 16})
    ranges |= {name: one for name, one in wanted.points.items() if one.low is not None}
    if not ranges:
        return work, (), ()
    steps = {one.scale for one in ranges.values() if one.bits == 16 and one.scale is not None}
    return replace(work, tflite=with_ranges(work.tflite, ranges)), tuple(steps), notes
