"""The verb: train a model with the price of the bytes of its weights in the loss.

Reference: Oktay et al. 2020, arXiv:1906.06624.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.weights import Target
from tflite_squeeze.techniques.entropy.config import DEFAULT_PASSES, EntropyPenalty
from tflite_squeeze.techniques.entropy.curve import RateCurve
from tflite_squeeze.techniques.entropy.penalized import penalized_network, selected
from tflite_squeeze.techniques.entropy.record import EntropyRecord, PricedWeight
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.held_back import HeldBack
from tflite_squeeze.training.parts import examples_of
from tflite_squeeze.training.plan import Needs, whole_length
from tflite_squeeze.training.record import zeros_of
from tflite_squeeze.training.step_run import RunContext, StepRun

_NEEDS = Needs(passes=DEFAULT_PASSES, rate=1.5)


class Penalized(NamedTuple):
    """A plain model with weights on integer grids, and what was done to it."""

    model: Any
    record: EntropyRecord


@checked_arguments
def penalize_entropy(
    model: Any,
    config: EntropyPenalty | None = None,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    in_place: bool = False,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Penalized:
    """Trains a model with the price of the bytes of its weights in the loss.

    Zeros of pruned weights stay zeros.

    Args:
        model: a Keras model of either version, trained or not, a path to one, or a `LoadedModel`.
        config: the price or the bytes that the code may take, and which layers have it.
        data: `Data` or anything that `load_data` takes, with a labelled training part unless the
            original model teaches (`FineTune(teacher="original")`).
        finetune: how to train; at least 20 passes over the data by default.
        in_place: change the model itself, not a copy.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Penalized`, which unpacks as (model, record): a plain Keras model whose weights are
        integers times a step, and an `EntropyRecord` with the bytes of each weight and the curve
        of bytes and quality. Its int8 file has the same integers.

    Raises:
        UsageError: no weight can have a price, or the data has no labels or no training part.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = penalize_entropy(model, EntropyPenalty(penalty=0.3), "mnist")
    """
    asked = config or EntropyPenalty()
    run = StepRun(
        model, data, finetune or FineTune(), in_place=in_place, needs=_NEEDS, context=context
    )
    priced = run.model
    selection = selected(priced, asked)
    zeros = [zeros_of(target.variable) for target in selection.targets]
    # There is no run without.
    assert run.training is not None
    assert run.samples is not None
    if asked.from_scratch:
        initialise(priced, run.training.seed)
    steps = whole_length(run.training)
    # Of data of unknown length, those of an epoch.
    an_epoch = steps // (run.training.epochs or 1) * (run.training.batch or 1)
    network = penalized_network(
        priced, selection.targets, asked, steps=steps,
        examples=examples_of(run.samples) or an_epoch,
    )  # fmt: skip
    curve = RateCurve(network, HeldBack(priced, run.samples))
    # The longer it is trained the fewer bytes there are: an earlier state is another result.
    run.train(priced, [curve], around=network, selects=False, verbose=verbose)
    emptied = network.write()
    record = EntropyRecord(
        config=asked,
        weights=_weights(selection.targets, network, zeros),
        curve=tuple(curve.points),
        emptied=emptied,
        skipped=selection.skipped,
        **run.facts(priced),
    )
    return Penalized(priced, record)


def initialise(model: Any, seed: int) -> None:
    """Gives the layers that train the weights that they would have when new.

    Args:
        model: a functional or sequential Keras model of either version.
        seed: of the initializers.

    Raises:
        UsageError: the model cannot be made anew.
    """
    keras = flavors.keras_of(flavors.known_flavor(model))
    keras.utils.set_random_seed(seed)
    try:
        fresh = keras.models.clone_model(model)
    except (ValueError, NotImplementedError) as error:
        raise UsageError(
            f"from_scratch makes the weights of functional and sequential models anew, and not of "
            f"model {model.name!r}: pass it untrained, and leave from_scratch out"
        ) from error
    pairs = zip(flavors.walk_layers(model), flavors.walk_layers(fresh), strict=True)
    for layer, new in pairs:
        if layer.trainable_weights and not hasattr(layer, "layers"):
            layer.set_weights(new.get_weights())


def _weights(
    targets: Sequence[Target], network: Any, zeros: Sequence[int]
) -> tuple[PricedWeight, ...]:
    integers: list[NDArray[np.int8]] = network.integers()
    return tuple(
        PricedWeight(
            name=target.name,
            layer_type=target.layer_type,
            parameters=target.size,
            steps=tuple(float(one) for one in np.ravel(steps)),
            largest=int(np.max(np.abs(values.astype(np.int64)), initial=0)),
            distinct=len(np.unique(values)),
            zeros_before=before,
            zeros_after=int(np.sum(values == 0)),
            code_bytes=entropy_bytes(values),
        )
        for target, values, steps, before in zip(
            targets, integers, network.steps(), zeros, strict=True
        )
    )
