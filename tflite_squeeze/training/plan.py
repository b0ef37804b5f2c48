"""How a model is trained where the user does not say: numbers from data, model and technique."""

import math
from dataclasses import dataclass

from tflite_squeeze.training.config import FineTune

# Examples up to which a batch has so many.
_BATCHES = ((2_000, 32), (20_000, 64))
_LARGEST_BATCH = 128
_RATES = {"adam": 1e-3, "sgd": 1e-2}
_WARMUP = 0.05
# Moving statistics forget what they were twenty times during a training, and look at five batches
# at least.
_FORGETTING = 20
_LEAST_MOMENTUM = 0.8
_PASS_OF_UNKNOWN_LENGTH = 1_000
_FEW = 5_000  # examples, of which a model learns more where they are changed at random


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a technique and a model need of a training.

    Attributes:
        passes: over the training data, at least.
        steps: at least, so that small data is enough to recover on.
        rate: factor of the usual learning rate.
        augment: what is done to the examples where there are few of them.
        folds: whether batch normalizations are folded away before the training.
        momentum: the model's own, of the moving statistics of its batch normalizations; None
            where it has none.
    """

    passes: int = 3
    steps: int = 600
    rate: float = 1.0
    folds: bool = False
    momentum: float | None = None
    augment: tuple[str, ...] = ()


def planned(config: FineTune, examples: int | None, needs: Needs | None = None) -> FineTune:
    """Fills in every number that the user did not give.

    Args:
        config: what was asked for; what it says stays.
        examples: how many there are to train on; None where only reading to the end would tell.
        needs: of the technique and the model.

    Returns:
        The same with numbers: `batch`, `epochs`, `learning_rate`, `warmup`, and `steps`, which is
        a multiple of `epochs` and stays open only for so many epochs of data of unknown length.

    Example:
        >>> planned(FineTune(), 500).steps
        608
        >>> planned(FineTune(), 60_000).batch
        128
    """
    needs = needs or Needs()
    batch = config.batch or _batch(examples)
    epochs, steps = _length(config, examples, batch, needs)
    long = steps or _PASS_OF_UNKNOWN_LENGTH * epochs
    momentum = config.batchnorm_momentum
    if momentum is None and needs.momentum is not None:
        momentum = min(needs.momentum, max(_LEAST_MOMENTUM, round(1 - _FORGETTING / long, 4)))
    chosen = {
        "batch": batch,
        "epochs": epochs,
        "steps": steps,
        "learning_rate": config.learning_rate or needs.rate * _RATES[config.optimizer],
        "warmup": _WARMUP if config.warmup is None else config.warmup,
        "batchnorm_momentum": momentum,
        "augment": _augment(config, examples, needs),
    }
    return config.model_copy(update=chosen)


def chosen_names(asked: FineTune) -> frozenset[str]:
    """The numbers that are chosen since they were not given.

    Example:
        >>> sorted(chosen_names(FineTune(epochs=2, warmup=0.0)))
        ['batch', 'batchnorm_momentum', 'learning_rate']
    """
    numbers = ["batch", "learning_rate", "warmup", "batchnorm_momentum"]
    if asked.epochs is None:
        numbers.append("steps")
    return frozenset(name for name in numbers if getattr(asked, name) is None)


def plan_note(asked: FineTune, plan: FineTune, examples: int | None) -> str:
    """One line of the numbers that were chosen; "" where all were given.

    Example:
        >>> plan_note(FineTune(epochs=2, warmup=0), planned(FineTune(epochs=2, warmup=0), 500), 500)
        'chosen for 500 examples: batches of 32, a learning rate of 0.001'
    """
    said = {
        "steps": f"{plan.steps} steps",
        "batch": f"batches of {plan.batch}",
        "learning_rate": f"a learning rate of {plan.learning_rate:g}",
        "warmup": f"{plan.warmup:.0%} of the steps to warm up",
        "batchnorm_momentum": f"a momentum of batch normalization of {plan.batchnorm_momentum}",
        "augment": f"augmentation by {' and '.join(plan.augment or ())}",
    }
    names = chosen_names(asked) | ({"augment"} if asked.augment is None else set())
    chosen = [
        said[name] for name in said if name in names and getattr(plan, name) not in (None, ())
    ]
    count = "data of unknown length" if examples is None else f"{examples:,} examples"
    return f"chosen for {count}: {', '.join(chosen)}" if chosen else ""


def whole_length(config: FineTune) -> int:
    """The steps of a planned training; at 1,000 an epoch where that is not known.

    Example:
        >>> whole_length(planned(FineTune(epochs=2), None))
        2000
    """
    return config.steps or _PASS_OF_UNKNOWN_LENGTH * (config.epochs or 1)


def stage_of(config: FineTune, epochs: int) -> FineTune:
    """A part of a planned training that is as long as so many of its epochs.

    Example:
        >>> stage_of(planned(FineTune(epochs=4, batch=10), 100), 3).steps
        30
    """
    steps = None if config.steps is None else config.steps // (config.epochs or 1) * epochs
    return config.model_copy(update={"epochs": epochs, "steps": steps})


def _augment(config: FineTune, examples: int | None, needs: Needs) -> tuple[str, ...] | None:
    few = examples is not None and examples < _FEW
    return needs.augment if config.augment is None and needs.augment and few else config.augment


def _batch(examples: int | None) -> int:
    if examples is None:
        return _BATCHES[-1][1]
    return next((batch for most, batch in _BATCHES if examples < most), _LARGEST_BATCH)


def _length(
    config: FineTune, examples: int | None, batch: int, needs: Needs
) -> tuple[int, int | None]:
    """(epochs, steps in all of them)."""
    steps = config.steps
    one_pass = None if examples is None else math.ceil(examples / batch)
    if steps is not None:
        return config.epochs or _parts(steps, steps / (one_pass or _PASS_OF_UNKNOWN_LENGTH)), steps
    if config.epochs is not None:
        return config.epochs, None if one_pass is None else config.epochs * one_pass
    if one_pass is None:
        one_pass = max(_PASS_OF_UNKNOWN_LENGTH // 2, math.ceil(needs.steps / needs.passes))
        return needs.passes, needs.passes * one_pass
    epochs = max(needs.passes, math.ceil(needs.steps / one_pass))
    return epochs, epochs * one_pass


def _parts(steps: int, passes: float) -> int:
    """Into how many equal parts steps can be divided, up to one part for each pass."""
    return next(parts for parts in range(max(1, int(passes)), 0, -1) if steps % parts == 0)
