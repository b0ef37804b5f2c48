"""A training that is watched: its best state is kept, it ends early, and a collapse is noticed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_squeeze.network.variables import callback_class
from tflite_squeeze.training.callback import StepCallback
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.held_back import HeldBack, Seen
from tflite_squeeze.training.plan import whole_length

LOOKS = 10
_PATIENCE = 5
# Shorter trainings are not watched: looking would take as long as they do.
FEWEST_STEPS = 50
# Half of the way to where a model gives the same answer to everything.
_COLLAPSE = 0.5
_MEANINGFUL = 0.1


class CollapseError(Exception):
    """A model in training answers no better than by chance, or with what is no number.

    Attributes:
        badness: as `HeldBack` measures it.
        step: after how many steps.
    """

    def __init__(self, badness: float, step: int) -> None:
        super().__init__(f"badness {badness} after {step} steps")
        self.badness, self.step = badness, step


class Watch(callback_class()):  # type: ignore[misc]
    """Looks at a model ten times during its training; goes before all other callbacks.

    Args:
        held: measures it.
        others: the callbacks of the same training; states count where none of them has a
            `settled` that is False.
        steps: of the whole training.
        start: (what is seen, badness of chance) before it.
        checks: whether to look for a collapse at the first look.
        selects: whether a state from before the end may be kept.
        ends_early: whether the training may end when nothing more comes.
    """

    def __init__(
        self,
        held: HeldBack,
        others: Sequence[Any],
        steps: int,
        *,
        start: tuple[Seen, float],
        checks: bool,
        selects: bool,
        ends_early: bool,
    ) -> None:
        super().__init__()
        self._held, self._others = held, others
        self._steps, self._every = steps, max(1, steps // LOOKS)
        self._start, self._checks = start, checks
        self._selects = selects and held.decides
        self._patience = _PATIENCE if ends_early and self._selects else None
        self._step = self._since = 0
        self._best: tuple[Seen, int, list[Any]] | None = None
        self._initial: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Keeps the state to return to, which counts where nothing has to be reached first."""
        self._initial = state_of(self.model)
        if self._counts():
            self._best = self._start[0], 0, self._initial

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Looks at the state after the last step, at a tenth of the training and so on.

        Raises:
            CollapseError: the model answers no better than by chance at the first look, or, at any,
                with what is no number.
        """
        if self._step and self._step % self._every == 0:
            self._look()
        self._step += 1

    def _look(self) -> None:
        seen, (start, chance) = self._held.look(self.model), self._start
        badness = seen.badness
        if not np.isfinite(badness) or (
            self._checks and self._step == self._every and is_lost(badness, start.badness, chance)
        ):
            raise CollapseError(badness, self._step)
        if not self._selects or not self._counts():
            return
        self._since += 1
        best = np.inf if self._best is None else self._best[0].badness
        if badness <= best:
            self._since = 0 if badness < best else self._since
            self._best = seen, self._step, state_of(self.model)
        if self._patience is not None and self._since >= self._patience:
            self.model.stop_training = True  # at the end of the epoch

    def _counts(self) -> bool:
        return all(getattr(one, "settled", True) for one in self._others)

    def keep_best(self, trained: Any) -> str:
        """Puts back the best state that counts, if the last one is worse; one line if so.

        The last of a whole training has to be clearly worse: the best of ten looks is better than
        the others by chance, and the last steps are the smallest ones.
        """
        if not self._selects or self._best is None:
            return ""
        best, step, state = self._best
        last = self._held.look(trained)
        whole = self._step >= self._steps
        if not (last.clearly_worse_than(best) if whole else last.badness > best.badness):
            return ""
        trained.set_weights(state)
        return (
            f"kept the weights as they were after {step} of {self._step} steps: "
            f"{self._held.text(best.badness)} on {self._held.count} held-back examples, "
            f"{self._held.text(last.badness)} at the end"
        )

    def put_back(self, trained: Any) -> None:
        """Puts back the state from before the training."""
        trained.set_weights(self._initial)


def is_lost(badness: float, start: float, chance: float) -> bool:
    """Whether a model has come half of the way from where it was to chance.

    Args:
        badness: of the model now, lower for better.
        start: before it was trained.
        chance: of one answer to everything.

    Example:
        >>> is_lost(0.9, 0.1, 0.9), is_lost(0.2, 0.1, 0.9), is_lost(0.9, 0.88, 0.9)
        (True, False, False)
    """
    way = chance - start
    return way > _MEANINGFUL * abs(chance) and badness - start >= _COLLAPSE * way


def state_of(model: Any) -> list[Any]:
    """The weights of a model and its moving statistics."""
    return [np.array(values) for values in model.get_weights()]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What came of a training that was watched.

    Attributes:
        history: metric → value per epoch, of the attempt that counts.
        config: how it was trained in the end.
        notes: what was noticed and done, a line each.
    """

    history: dict[str, list[Any]]
    config: FineTune
    notes: tuple[str, ...]


def watched(
    fit: Callable[[FineTune, list[Any]], dict[str, list[Any]]],
    trained: Any,
    held: HeldBack,
    config: FineTune,
    callbacks: Sequence[Any],
    *,
    chosen: Collection[str],
    selects: bool,
) -> Watched:
    """Trains a model, and again with smaller steps where it collapses.

    Where every attempt collapses, the one that came furthest is trained to its end, unless a model
    answered with what is no number: then the model is as it was.

    Args:
        fit: trains from the state that the model has, with a config and callbacks.
        trained: what is trained.
        held: measures it.
        config: planned.
        callbacks: of the technique and of who watches.
        chosen: the numbers of the config that the user did not give, which alone are changed.
        selects: as in `Watch`.
    """
    start = held.look(trained), held.badness_of_chance(trained)

    def attempt(config: FineTune, *, checks: bool) -> Watched | CollapseError:
        watch = Watch(
            held, callbacks, whole_length(config),
            start=start, checks=checks, selects=selects, ends_early="steps" in chosen,
        )  # fmt: skip
        try:
            history = fit(config, [watch, *callbacks])
        except CollapseError as error:
            watch.put_back(trained)
            for one in callbacks:
                if isinstance(one, StepCallback):
                    one.start_over()
            return error
        kept = watch.keep_best(trained)
        return Watched(history=history, config=config, notes=(kept,) if kept else ())

    attempts = [config, *gentler(config, chosen)] if selects else [config]
    failed: list[tuple[CollapseError, FineTune]] = []
    for one in attempts:
        done = attempt(one, checks=len(attempts) > 1)
        if isinstance(done, Watched):
            break
        failed.append((done, one))
    else:
        best, one = min(failed, key=lambda pair: pair[0].badness)
        if np.isfinite(best.badness):
            done = attempt(one, checks=False)
    if not failed:
        assert isinstance(done, Watched)
        return done
    tried = _tried(held, start[0].badness, failed)
    if isinstance(done, Watched):
        told = f"{tried}: trained with {_how(done.config)}"
        return replace(done, notes=(told, *done.notes))
    return Watched(history={}, config=one, notes=(f"{tried}: given up, nothing was trained",))


def gentler(config: FineTune, chosen: Collection[str]) -> list[FineTune]:
    """What is tried after a collapse: half the learning rate, and then half the batch too.

    Args:
        config: planned.
        chosen: the numbers that may be changed.

    Example:
        >>> [one.learning_rate for one in gentler(planned(FineTune(), 500), ["learning_rate"])]
        [0.0005]
    """
    tried = []
    if "learning_rate" in chosen and config.learning_rate:
        config = config.model_copy(update={"learning_rate": config.learning_rate / 2})
        tried.append(config)
    if "batch" in chosen and config.steps and config.batch and config.batch > 1:
        tried.append(config.model_copy(update={"batch": config.batch // 2}))
    return tried


def _how(config: FineTune) -> str:
    return f"a learning rate of {config.learning_rate:g} and batches of {config.batch}"


def _tried(held: HeldBack, start: float, failed: Sequence[tuple[CollapseError, FineTune]]) -> str:
    tries = "; ".join(
        f"{held.text(error.badness)} after {error.step} steps with {_how(config)}"
        for error, config in failed
    )
    return f"the training collapsed from {held.text(start)} ({tries})"
