"""Shows what is inside a model or a file, and what could be better."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tflite_squeeze.emission.low_bit.float_forms import timed_forms
from tflite_squeeze.errors import InputError, RuntimeFailure, UnsupportedError
from tflite_squeeze.inspection.advice import LeftOperator, delegation_advice, file_advice
from tflite_squeeze.inspection.model_advice import Surroundings, layer_advice, layer_record
from tflite_squeeze.inspection.quantization_advice import slow_dynamic
from tflite_squeeze.inspection.record import Advice, InspectRecord, LayerRecord
from tflite_squeeze.inspection.tune_advice import (
    dead_channels,
    integers_for_layers,
    integers_for_operators,
)
from tflite_squeeze.network.layer_macs import model_layers
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.twin import is_twin, plan_for, plan_of_twin
from tflite_squeeze.network.rewriting import as_float32
from tflite_squeeze.profiling.profile import profile
from tflite_squeeze.profiling.record import Profile
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.graph import WeightRecord, file_operators
from tflite_squeeze.tflite.quantization_plan import plan_of
from tflite_squeeze.tflite.size import size_ledger

# Enough for a share of the time, and no more than a second or two on small files.
_QUICK = Profile(runs=20, min_seconds=0.2, warmup_seconds=0.1, time_limit_s=120)


def inspect(
    source: Any, *, measure: bool = True, allow_unsafe: bool = False, plan: bool = False
) -> InspectRecord:
    """Lists layers or operators with their cost, and what could be better.

    Args:
        source: a Keras model, the path of one, or a .tflite file as path or bytes.
        measure: whether to run a .tflite file, in a child process, to find which operators
            the default delegate leaves to the built-in kernels, and their time.
        allow_unsafe: whether Lambda layers may run Python code from the file.
        plan: whether to plan the quantization of a Keras model to 8 bits, or to read that of a
            quantized one; a .tflite file's own is always read.

    Returns:
        The record; it round-trips through JSON.

    Raises:
        InputError: the file is missing, damaged, not a model, or has no Keras layers.
        UsageError: a plan was asked for, and the model has no graph of layers.

    Example:
        >>> inspect("models/lenet_5.keras").parameters
        431080
    """
    loaded = load_model(source, allow_unsafe=allow_unsafe)
    if loaded.kind is ModelKind.TFLITE:
        return _inspect_file(loaded, measure=measure)
    if loaded.kind in (ModelKind.KERAS, ModelKind.TF_KERAS):
        record = _inspect_model(loaded)
        return record.model_copy(update={"plan": _plan_of_model(loaded)}) if plan else record
    raise InputError(
        f"{loaded.path or loaded.name} has no Keras layers to inspect: convert it with "
        f"tflite-squeeze convert, and inspect the .tflite file"
    )


def _inspect_file(loaded: LoadedModel, *, measure: bool) -> InspectRecord:
    tflite: bytes = loaded.model
    model = read_model(tflite)
    operators, size = file_operators(model), size_ledger(tflite)
    measured: tuple[Advice, ...] = ()
    run_us, reason = None, "not requested"
    plan, no_plan = _plan(tflite)
    if measure:
        run_us, measured, reason = _measured(tflite, len(operators))
    return InspectRecord(
        name=loaded.name,
        path=_shown(loaded.path),
        kind=loaded.kind.value,
        sha256=loaded.sha256,
        operators=operators,
        size=size,
        parameters=size.parameters,
        zeros=size.zeros,
        weights_bytes=sum(operator.weights_bytes for operator in operators),
        macs=size.macs,
        binary_macs=size.binary_macs,
        unknown_macs=size.unknown_macs,
        advice=(*integers_for_operators(operators), *file_advice(model, tflite), *measured),
        run_us=run_us,
        not_measured=reason or None,
        plan=plan,
        no_plan=no_plan,
    )


def _plan(tflite: bytes) -> tuple[QuantizationPlan | None, str | None]:
    """The file's quantization plan, or why it has none that can be described."""
    try:
        return plan_of(tflite), None
    except InputError as error:
        return None, str(error)


def _plan_of_model(loaded: LoadedModel) -> QuantizationPlan:
    """The plan that a quantized model has, or that for 8 bits, its ranges open."""
    if is_twin(loaded.model):
        return plan_of_twin(loaded.model)
    return plan_for(folded(as_float32(loaded.model)))


def _measured(tflite: bytes, operators: int) -> tuple[float | None, tuple[Advice, ...], str]:
    """The time of a run, advice from it, and why there is none."""
    try:
        record = profile(tflite, _QUICK)
    except (RuntimeFailure, UnsupportedError) as error:
        return None, (), str(error)
    times = record.operators
    run_us = record.latency.median_us
    slow = tuple(slow_dynamic(timed_forms(tflite)))
    if times.unavailable is not None:
        return run_us, slow, times.unavailable
    left = [
        LeftOperator(name=one.name, subgraph=one.subgraph, index=one.index, run_us=one.us_per_run)
        for one in times.operators
        if not one.delegated and one.name != "CALL_ONCE"  # it runs in the first run only
    ]
    left_out = delegation_advice(left, operators, max(run_us, times.sum_us))
    return run_us, (*slow, *left_out), ""


def _inspect_model(loaded: LoadedModel) -> InspectRecord:
    layers, around = model_layers(loaded.model), Surroundings(loaded.model)
    records = tuple(layer_record(layer, around) for layer in layers)
    weights: Sequence[WeightRecord] = [one for record in records for one in record.weights]
    return InspectRecord(
        name=loaded.name,
        path=_shown(loaded.path),
        kind=loaded.kind.value,
        sha256=loaded.sha256,
        layers=records,
        parameters=sum(record.parameters for record in records),
        zeros=sum(weight.zeros for weight in weights),
        weights_bytes=sum(record.weights_bytes for record in records),
        macs=sum(record.macs or 0 for record in records),
        unknown_macs=tuple(
            f"{record.kind} {record.name}" for record in records if record.macs is None
        ),
        advice=(*_first(loaded.model, layers, records), *layer_advice(layers, around)),
        not_measured="only .tflite files are run",
    )


def _first(model: Any, layers: Sequence[Any], records: Sequence[LayerRecord]) -> tuple[Advice, ...]:
    """What `tune` would try first; nothing for a model whose integers are trained already."""
    if is_twin(model):
        return ()
    return (*integers_for_layers(records), *dead_channels(model, layers))


def _shown(path: Path | None) -> str | None:
    return None if path is None else str(path)
