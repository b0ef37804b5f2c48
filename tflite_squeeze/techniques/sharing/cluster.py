"""The verb: cluster the weights of a model, with or without training."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.sharing.callback import ClusteringCallback
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.techniques.sharing.plan import ClusterPlan, cluster_plan, measured_counts
from tflite_squeeze.techniques.sharing.record import ClusterRecord, SharedWeight
from tflite_squeeze.techniques.sharing.sharing import ModelSharing, Sharing
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.step_run import RunContext, StepRun

Array = NDArray[Any]


class Clustered(NamedTuple):
    """A model whose weights share values, and what was done to it."""

    model: Any
    record: ClusterRecord


@checked_arguments
def cluster(
    model: Any,
    config: Cluster,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    in_place: bool = False,
    measured: Mapping[str, int] | None = None,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Clustered:
    """Clusters the weights: each kernel shares a few values, which are trained.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`; zeros of pruned
            weights stay zeros.
        config: how many values, and which layers.
        data: `Data` or anything that `load_data` takes. With a labelled training part the values
            are fine-tuned; without, weights share at once.
        finetune: how to train; numbers left open are chosen. `FineTune` with data that has no
            labels is an error, unless the original model teaches
            (`FineTune(teacher="original")`).
        one_shot: share at once and do not train, even if there is training data.
        in_place: change the model itself, not a copy.
        measured: for `max_drop`, values by weight, measured already.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Clustered`, which unpacks as (model, record): a plain Keras model whose weights share
        values, and a `ClusterRecord` with the values of each weight and the quality before and
        after.

    Raises:
        UsageError: the config asks for what this model or data cannot give.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = cluster(model, Cluster(clusters=16), "fashion-mnist")
    """
    run = StepRun(
        model, data, finetune, one_shot=one_shot, in_place=in_place, context=context
    )  # fmt: skip
    shared = run.model
    if config.max_drop is not None and measured is None:
        measured = measured_counts(shared, config, _labelled(run.samples))
    plan = cluster_plan(shared, config, measured)
    if not plan.sharings:
        raise UsageError(f"nothing to share in model {shared.name!r} ({plan.why_nothing()})")
    weights = [np.array(sharing.target.variable) for sharing in plan.sharings]
    if run.trains:
        callback = ClusteringCallback(config, measured=measured)
        run.train(shared, [callback], verbose=verbose)
        errors = callback.errors
    else:
        errors = ModelSharing(plan.sharings, follows=False).errors
    return Clustered(
        shared,
        ClusterRecord(
            config=config,
            weights=_weights(plan, weights, errors),
            skipped=plan.skipped,
            refused=plan.refused,
            **run.facts(shared),
        ),
    )


def _labelled(samples: Data | None) -> Data:
    if samples is None or not samples.labelled:
        raise UsageError("max_drop is measured on labelled data: pass data with labels")
    return samples


def _weights(
    plan: ClusterPlan, before: Sequence[Array], errors: Mapping[str, float]
) -> tuple[SharedWeight, ...]:
    return tuple(
        _weight(sharing, old, np.asarray(sharing.target.variable), errors)
        for sharing, old in zip(plan.sharings, before, strict=True)
    )


def _weight(sharing: Sharing, old: Array, new: Array, errors: Mapping[str, float]) -> SharedWeight:
    return SharedWeight(
        name=sharing.target.name,
        layer_type=sharing.target.layer_type,
        parameters=sharing.target.size,
        clusters=sharing.clusters,
        tables=sharing.tables,
        distinct_before=len(np.unique(old[old != 0])),
        distinct_after=max(sharing.distinct(new)),
        zeros_before=int(np.sum(old == 0)),
        zeros_after=int(np.sum(new == 0)),
        error=errors.get(sharing.target.name, 0.0),  # 0 where training ended before it began
        entropy_bytes=round(sum(entropy_bytes(row) for row in sharing.rows(new))),
    )
