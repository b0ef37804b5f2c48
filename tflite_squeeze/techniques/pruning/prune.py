"""The verb: prune a model, with or without training."""

from dataclasses import replace
from typing import Any, NamedTuple

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.grouped_masks import GroupedMasks, Groups, groups_of
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData
from tflite_squeeze.techniques.pruning.sensitivity.curves import measure_curves
from tflite_squeeze.techniques.pruning.sparsities import Curves
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.plan import Needs
from tflite_squeeze.training.record import weight_records, zeros_of
from tflite_squeeze.training.step_run import RunContext, StepRun

_SCORING_SAMPLES = 512
# Measured on LeNet-5 and Fashion-MNIST at 90 % zeros, 500, 5,000 and 60,000 examples: twice the
# usual rate ends 0.6 to 1.8 points higher.
_NEEDS = Needs(rate=2.0)
# Where the original teaches on 500 examples, mixing them wins back 2.4 of 9 points: see
# docs/measured/prune.md.
_TAUGHT = replace(_NEEDS, augment=("mixup",))


class Pruned(NamedTuple):
    """A pruned model and what was done to it."""

    model: Any
    record: PruneRecord


@checked_arguments
def prune(
    model: Any,
    config: Prune,
    data: Any = None,
    finetune: FineTune | None = None,
    *,
    one_shot: bool = False,
    in_place: bool = False,
    curves: Curves | None = None,
    context: RunContext | None = None,
    verbose: int = 0,
) -> Pruned:
    """Zeroes the weights that matter least, and trains the others around them.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.
        config: how much, which, and when.
        data: `Data` or anything that `load_data` takes. With a labelled training part the model is
            fine-tuned while and after the zeros come in; without, it is pruned at once.
        finetune: how to train; numbers left open are chosen. `FineTune` with data that has no
            labels is an error, unless the original model teaches
            (`FineTune(teacher="original")`).
        one_shot: prune at once and do not train, even if there is training data.
        in_place: change the model itself, not a copy.
        curves: for a budget that goes by them, measured already.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Pruned`, which unpacks as (model, record): a plain Keras model with zeros in its
        weights, and a `PruneRecord` with the sparsity of each weight and the quality before and
        after.

    Raises:
        UsageError: the config asks for what this model or data cannot give.
        InputError: the data does not fit the model.

    Example:
        >>> model, record = prune(model, Prune(sparsity=0.9), "fashion-mnist")
    """
    taught = finetune is not None and finetune.teacher is not None
    run = StepRun(
        model, data, finetune, needs=_TAUGHT if taught else _NEEDS,
        one_shot=one_shot, in_place=in_place, keep_prunable=True, context=context,
    )  # fmt: skip
    pruned = run.model
    groups = groups_of(pruned, config)
    selection = groups.selection
    if not selection.targets:
        reasons = why_skipped(selection.skipped)
        raise UsageError(f"nothing to prune in model {pruned.name!r} ({reasons}): see --only")
    zeros = [zeros_of(target.variable) for target in selection.targets]
    scoring = _scoring_data(pruned, groups, run.samples)
    if config.needs_curves and curves is None:
        curves = measure_curves(
            pruned, _labelled(run.samples), selection, granularity=config.granularity
        )
    if run.trains:
        callback = PruningCallback(config, data=scoring, curves=curves)
        run.train(pruned, [callback], verbose=verbose)
    else:
        GroupedMasks(pruned, groups, data=scoring, curves=curves).update(lambda target: target)
    return Pruned(
        pruned,
        PruneRecord(
            config=config,
            weights=weight_records(selection.targets, zeros, groups.unit_of),
            skipped=selection.skipped,
            target=groups.goal(),
            **run.facts(pruned),
        ),
    )


def _labelled(samples: Data | None) -> Data:
    if samples is None or not samples.labelled:
        raise UsageError("sensitivities need labelled data: pass data with labels")
    return samples


def _scoring_data(model: Any, groups: Groups, samples: Data | None) -> ScoringData | None:
    """Samples for scores that need them."""
    asking = [config for config, _ in groups.parts if config.scores_samples]
    if not asking:
        return None
    if samples is None:
        raise UsageError(f"score {asking[0].score_name!r} needs samples: pass data")
    part = "train" if samples.train is not None else "calibration"
    sample = samples.sample(part, _SCORING_SAMPLES)  # type: ignore[arg-type]
    return ScoringData.from_arrays(flavors.arranged(model, sample.inputs), sample.labels)
