"""The verb: train a model with a penalty on every weight that is not zero.

Reference: Louizos et al. 2018, arXiv:1712.01312.
"""

import math
from typing import Any, NamedTuple

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.observing import replaceable
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.network.weights import Selection, select
from tflite_squeeze.techniques.l0.config import DEFAULT_PASSES, L0
from tflite_squeeze.techniques.l0.gates import gated_network
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.plan import Needs, stage_of, whole_length
from tflite_squeeze.training.record import weight_records, zeros_of
from tflite_squeeze.training.step_run import RunContext, StepRun

_NEEDS = Needs(passes=DEFAULT_PASSES)


class L0Pruned(NamedTuple):
    """A plain model with exact zeros, and what was done to it."""

    model: Any
    record: L0Record


@checked_arguments
def l0_prune(
    model: Any,
    config: L0,
    data: Any,
    finetune: FineTune | None = None,
    *,
    in_place: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> L0Pruned:
    """Trains a model with a gate on each weight, and zeroes the weights whose gates close.

    How many zeros there will be follows from λ, the data and the length of the training; no weight
    is chosen by its magnitude.

    Args:
        model: a Keras model of either version, trained or not, a path to one, or a `LoadedModel`.
        config: λ, the gates, and which layers get them.
        data: `Data` or anything that `load_data` takes, with a labelled training part unless the
            original model teaches (`FineTune(teacher="original")`).
        finetune: how to train; at least 20 passes over the data by default.
        in_place: change the model itself, not a copy.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        An `L0Pruned`, which unpacks as (model, record): a plain Keras model with the same layers
        and exact zeros, and an `L0Record` with the sparsity of each weight.

    Raises:
        UsageError: there is no layer to gate, or the data has no labels or no training part.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = l0_prune(model, L0(lam=10.0), "mnist")
    """
    asked = finetune or FineTune()
    run = StepRun(model, data, asked, in_place=in_place, needs=_NEEDS, context=context)
    pruned = run.model
    selection = replaceable(select(pruned, only=config.only, protect=config.protect))
    if not selection.targets:
        reasons = why_skipped(selection.skipped)
        raise UsageError(f"no layer of model {pruned.name!r} can have gates ({reasons})")
    zeros = [zeros_of(target.variable) for target in selection.targets]
    _train(run, selection, config, verbose)
    record = L0Record(
        config=config,
        weights=weight_records(selection.targets, zeros),
        skipped=selection.skipped,
        **run.facts(pruned),
    )
    return L0Pruned(pruned, record)


def _train(run: StepRun, selection: Selection, config: L0, verbose: int) -> None:
    """Trains gates and weights, writes the gates into the weights, and lets those settle."""
    training = run.training
    # There is no run without, and StepRun leaves no number open.
    assert training is not None
    assert training.epochs is not None
    assert training.learning_rate is not None
    settling = math.floor(config.settle * training.epochs)
    gating = training.epochs - settling
    ratio = config.gate_learning_rate / training.learning_rate
    network = gated_network(
        run.model,
        selection.targets,
        config,
        gain=ratio if training.optimizer == "adam" else math.sqrt(ratio),
        warmup_steps=round(config.warmup * whole_length(stage_of(training, gating))),
        seed=training.seed,
    )
    # The longer it is trained the more gates are closed: an earlier state is another result.
    run.train(run.model, around=network, epochs=gating, selects=False, verbose=verbose)
    network.write_gates()
    if settling:
        with zeros_held(target.variable for target in selection.targets):
            rate = training.learning_rate / 2
            run.train(run.model, epochs=settling, learning_rate=rate, verbose=verbose)
