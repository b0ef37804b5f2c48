"""The masks of a whole model, moved along a schedule: what callback, verb and wrapper share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.projections import Attached, MaskProjection, attach, detach, nonzero
from tflite_squeeze.network.weights import Selection, Target
from tflite_squeeze.techniques.pruning.budgets import erdos_renyi, uniform
from tflite_squeeze.techniques.pruning.config import SCORE, Prune
from tflite_squeeze.techniques.pruning.masks import Element, Mask, lowest
from tflite_squeeze.techniques.pruning.scores import magnitude
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData
from tflite_squeeze.techniques.pruning.sparsities import Curves, final_sparsity, tensor_sparsities

Array = NDArray[Any]

# How far above the threshold weights are counted, to know how dense they lie there.
_REACH = 0.25


# Moved thresholds drift from the count that was asked for; a full ranking sets them right.
_FULL_EVERY = 64


_COUNT_EVERY = 8


# Weights that drift below the threshold go too; so many are left for the last, full ranking.
_MARGIN = 0.004


# Small tensors are ranked in full each time, in microseconds.
_SMALL = 2048


class RisingZeros:
    """Chooses more and more weights of one tensor to zero, by magnitude; zeros stay zeros.

    Args:
        weights: the tensor as it is.
    """

    def __init__(self, weights: Array) -> None:
        self._stays: Mask = nonzero(weights)
        self._zeros = int(weights.size - np.count_nonzero(self._stays))
        self._near = 0
        self._threshold = 0.0
        self._age = _FULL_EVERY

    def wants(self, zeros: int) -> bool:
        """Whether that many zeros are more than there are; reading weights is slow otherwise."""
        return zeros > self._zeros

    def exactly(self, weights: Array, zeros: int) -> Mask | None:
        """The mask with exactly that many zeros, if that is more than there are.

        Args:
            weights: the tensor as it is now.
            zeros: how many.

        Returns:
            True where a weight stays; None when the last mask still holds.
        """
        if zeros <= self._zeros:
            return None
        magnitudes = np.where(self._stays, np.abs(weights), -1.0)
        chosen = lowest(magnitudes, zeros)
        self._threshold = float(magnitudes.ravel()[chosen].max())
        stays = np.ones(weights.size, np.bool_)
        stays[chosen] = False
        self._age = 0
        return self._keep(stays.reshape(weights.shape), np.abs(weights))

    def about(self, weights: Array, zeros: int, most: int) -> Mask | None:
        """A mask with about that many zeros, found in one pass.

        Args:
            weights: the tensor as it is now.
            zeros: how many.
            most: how many there will be in the end; never more than a little less than that.

        Returns:
            True where a weight stays; None when the last mask still holds.
        """
        if weights.size <= _SMALL:
            return self.exactly(weights, min(zeros, most))
        cap = most - int(_MARGIN * weights.size) - 1
        missing = min(zeros, cap) - self._zeros
        if missing <= 0:
            return None
        self._age += 1
        if missing > self._near or self._age > _FULL_EVERY:
            return self.exactly(weights, self._zeros + missing)
        self._threshold *= 1.0 + _REACH * missing / self._near
        magnitudes = np.abs(weights)
        stays = self._stays & (magnitudes > self._threshold)
        if stays.size - np.count_nonzero(stays) > cap:
            return self.exactly(weights, self._zeros + missing)
        return self._keep(stays, magnitudes)

    def _keep(self, stays: Mask, magnitudes: Array) -> Mask:
        self._stays = stays
        self._zeros = int(stays.size - np.count_nonzero(stays))
        if self._age % _COUNT_EVERY == 0:
            within = stays & (magnitudes <= self._threshold * (1.0 + _REACH))
            self._near = int(np.count_nonzero(within))
        return stays


class ModelMasks:
    """A mask for every selected weight of one model.

    Args:
        model: the Keras model.
        config: the configuration of pruning.
        selection: which weights.
        data: what the score is taken on, where it needs samples.
        curves: for a budget that goes by them.
    """

    def __init__(
        self,
        model: Any,
        config: Prune,
        selection: Selection,
        *,
        data: ScoringData | None = None,
        curves: Curves | None = None,
    ) -> None:
        self._model = model
        self._config = config
        self._score = config.scored_by
        self._data = data
        self._curves = curves
        self.targets: Sequence[Target] = selection.targets
        self._projections = [
            MaskProjection(target.variable, grows=config.grow) for target in self.targets
        ]
        self._rising = [RisingZeros(np.asarray(target.variable)) for target in self.targets]
        self._attached: Attached = []

    def attach(self) -> None:
        """Makes the masks hold in every step from now on."""
        pairs = zip(self.targets, self._projections, strict=True)
        self._attached = attach([(target.variable, projection) for target, projection in pairs])

    def detach(self) -> None:
        """Puts the constraints back as they were; the zeros stay."""
        detach(self._attached)
        self._attached = []

    def update(self, sparsity: float, *, exact: bool = True) -> None:
        """Ranks the weights and moves every mask.

        Args:
            sparsity: of all selected weights together, now.
            exact: whether the sparsity has to be met to within one unit; where it has not, and
                the way is simple enough, this is fast. The zeros are then in the masks, and in
                the weights from the next step on.
        """
        if self._is_plain:
            self._update_plainly(sparsity, exact=exact)
            return
        weights = [projection.dense() for projection in self._projections]
        for projection, mask in zip(self._projections, self._masks(weights, sparsity), strict=True):
            # A schedule that starts anew asks for less than there is: what is zero stays zero.
            projection.assign(mask if self._config.grow else mask & projection.current())

    def _update_plainly(self, sparsity: float, *, exact: bool) -> None:
        now, last = (self._shares(share) for share in (sparsity, self._config.target))
        for target, projection, rising, share, most_share in zip(
            self.targets, self._projections, self._rising, now, last, strict=True
        ):
            zeros = round(share * target.size)
            if not rising.wants(zeros):
                continue
            if exact:
                mask = rising.exactly(projection.dense(), zeros)
            else:
                most = round(most_share * target.size)
                mask = rising.about(projection.dense(), zeros, most)
            if mask is not None:
                projection.assign(mask, now=exact)

    @property
    def _is_plain(self) -> bool:
        """Whether each tensor is ranked alone by magnitude and zeros stay: the fast way.

        Its share of the zeros then follows from the shapes alone.
        """
        config = self._config
        return (
            self._score is magnitude
            and config.spread_by in (uniform, erdos_renyi)
            and isinstance(config.units, Element)
            and not (config.grow or config.layers or config.threshold)
            and config.sparsity != "median"
        )

    def _shares(self, sparsity: float) -> list[float]:
        """The sparsity of each tensor, for a budget that looks at shapes alone."""
        return tensor_sparsities(self._config, self.targets, (), sparsity)

    def _masks(self, weights: list[Array], sparsity: float) -> list[Array]:
        config = self._config
        if config.threshold is not None:
            return [np.abs(weight) >= config.threshold for weight in weights]
        if config.sparsity == "median":
            return [np.abs(weight) >= np.median(np.abs(weight)) for weight in weights]
        matrices = self._scores(weights)
        if not config.grow:
            # What is zero stays zero, whatever its score.
            matrices = [
                np.where(target.matrix(projection.current()), matrix, -1.0)
                for target, projection, matrix in zip(
                    self.targets, self._projections, matrices, strict=True
                )
            ]
        shares = tensor_sparsities(config, self.targets, matrices, sparsity, self._curves)
        return [
            target.from_matrix(config.units.mask(matrix, share))
            for target, matrix, share in zip(self.targets, matrices, shares, strict=True)
        ]

    def _scores(self, weights: list[Array]) -> list[Array]:
        """Scores in matrix form, from what the score's function takes."""
        targets, seed, name = self.targets, self._config.seed, self._config.score_name
        matrices = [t.matrix(weight) for t, weight in zip(targets, weights, strict=True)]
        makers: dict[str, Callable[[], Sequence[Any]]] = {
            "weights": lambda: matrices,
            "gradients": lambda: self._scoring_data().gradients(self._model, targets, name),
            "input_norms": lambda: self._scoring_data().norms(self._model, targets),
            "seed": lambda: range(seed, seed + len(targets)),
        }
        given = {wanted: makers[wanted]() for wanted in SCORE.wanted(self._score)}
        scores = [
            np.asarray(self._score(**{wanted: values[at] for wanted, values in given.items()}))
            for at in range(len(targets))
        ]
        for matrix, score in zip(matrices, scores, strict=True):
            if score.shape != matrix.shape or np.any(score < 0):
                raise UsageError(
                    f"score {name!r} gives {score.shape} for weights of {matrix.shape}, or numbers "
                    f"below 0: return 0 or more for each weight"
                )
        return scores

    def _scoring_data(self) -> ScoringData:
        if self._data is None:
            raise UsageError(f"score {self._config.score_name!r} needs samples: pass data")
        return self._data

    def hold(self) -> None:
        """Zeroes once more what the masks say, whatever was assigned meanwhile."""
        for projection in self._projections:
            projection.hold()

    def sparsity(self) -> float:
        """The share of zeros among the selected weights, counted now."""
        zeros = sum(int(np.sum(np.asarray(target.variable) == 0)) for target in self.targets)
        return zeros / max(1, self._size)

    def falls_short(self) -> bool:
        """Whether fewer weights are zero than were asked for, by more than a unit per weight."""
        slack = sum(self._config.units.unit(*target.matrix_shape) for target in self.targets)
        return self.sparsity() < self.goal() - slack / max(1, self._size)

    def goal(self) -> float:
        """The sparsity that was asked for of all selected weights together."""
        return final_sparsity(self._config, self.targets)

    @property
    def _size(self) -> int:
        return sum(target.size for target in self.targets)
