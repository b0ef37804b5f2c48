"""The verb: train a model under a price for every weight that is not zero.

Reference: Louizos et al. 2018, arXiv:1712.01312.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.observing import replaceable
from tflite_squeeze.network.projections import MaskProjection, constrained
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.network.weights import Selection, select
from tflite_squeeze.techniques.l0.config import DEFAULT_EPOCHS, L0
from tflite_squeeze.techniques.l0.gates import gated_network
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import check_trainable, original_of
from tflite_squeeze.training.finetune import finetune as train
from tflite_squeeze.training.parts import training_steps
from tflite_squeeze.training.quality import metric_name, validation_quality
from tflite_squeeze.training.record import weight_records, zeros_of

_DEFAULT_TRAINING = FineTune(epochs=DEFAULT_EPOCHS)


class L0Pruned(NamedTuple):
    """A plain model with exact zeros, and what was done to it."""

    model: Any
    record: L0Record


def l0_prune(
    model: Any,
    config: L0,
    data: Any,
    finetune: FineTune | None = None,
    *,
    in_place: bool = False,
    verbose: int = 0,
) -> L0Pruned:
    """Trains a model with a gate on each weight, and leaves out the weights whose gates close.

    How many zeros there will be follows from λ, the data and the length of the training; no weight
    is chosen by its magnitude.

    Args:
        model: a Keras model of either flavour, trained or not.
        config: λ, the gates, and which layers get them.
        data: `Data` or anything that `load_data` takes, with a labelled training part unless the
            original model teaches (`FineTune(teacher="original")`).
        finetune: how to train; 20 epochs by default.
        in_place: change the model itself, not a copy.
        verbose: as in `model.fit`.

    Returns:
        (model, record); the model has the layers that it had.

    Raises:
        UsageError: there is no layer to gate, or the data has no labels or no training part.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = l0_prune(model, L0(lam=10.0), "mnist")
    """
    started = time.perf_counter()
    training = finetune or _DEFAULT_TRAINING
    original = original_of(model, training, in_place=in_place)
    pruned = model if in_place else copy_of(model)
    selection = replaceable(select(pruned, only=config.only, protect=config.protect))
    if not selection.targets:
        reasons = why_skipped(selection.skipped)
        raise UsageError(f"no layer of model {model.name!r} can have gates ({reasons})")
    samples = load_data(data).fitted_to(flavors.input_specs(pruned))
    check_trainable(samples, training)
    zeros = [zeros_of(target.variable) for target in selection.targets]
    before = validation_quality(pruned, samples)
    history = _trained(pruned, selection, config, samples, training, original, verbose)
    return L0Pruned(
        pruned,
        L0Record(
            model=model.name,
            config=config,
            finetune=training,
            weights=weight_records(selection.targets, zeros),
            skipped=selection.skipped,
            metric=metric_name(pruned),
            before=before,
            after=validation_quality(pruned, samples),
            history=history,
            notes=samples.notes,
            seconds=time.perf_counter() - started,
        ),
    )


def _trained(
    model: Any,
    selection: Selection,
    config: L0,
    data: Data,
    training: FineTune,
    original: Any,
    verbose: int,
) -> dict[str, list[float]]:
    """Trains gates and weights, writes the gates into the weights, and lets those settle."""
    settling = math.floor(config.settle * training.epochs)
    gating = training.model_copy(update={"epochs": training.epochs - settling})
    ratio = config.gate_learning_rate / training.learning_rate
    network = gated_network(
        model,
        selection.targets,
        config,
        gain=ratio if training.optimizer == "adam" else math.sqrt(ratio),
        warmup_steps=round(config.warmup * training_steps(data, gating)),
        seed=training.seed,
    )
    history = train(model, data, gating, around=network, original=original, verbose=verbose).history
    network.write_gates()
    if settling:
        rest = training.model_copy(
            update={"epochs": settling, "learning_rate": training.learning_rate / 2}
        )
        masks: dict[int, tuple[Any, Callable[[Any], Any]]] = {
            number: (target.variable, MaskProjection(target.variable))
            for number, target in enumerate(selection.targets)
        }
        with constrained(masks):
            later = train(model, data, rest, original=original, verbose=verbose).history
        history = {name: values + later.get(name, []) for name, values in history.items()}
    return history
