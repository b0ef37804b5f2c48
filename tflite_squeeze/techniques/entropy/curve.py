"""Rate and quality by epoch, while a penalized network is trained."""

from typing import Any

from tflite_squeeze.network.variables import callback_class
from tflite_squeeze.techniques.entropy.record import RatePoint
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.training.held_back import HeldBack


class RateCurve(callback_class()):  # type: ignore[misc]
    """Notes how many bytes the weights take after each epoch, and how well they do.

    Args:
        network: the penalized network.
        held: measures it.

    Attributes:
        points: one for each epoch.
    """

    def __init__(self, network: Any, held: HeldBack) -> None:
        super().__init__()
        self._network, self._held = network, held
        self.points: list[RatePoint] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets a training that was broken off."""
        self.points = []

    @property
    def _quality(self) -> float | None:
        if self._held.measure == "divergence":
            return None
        badness = self._held.badness(self._network)
        return 1 - badness if self._held.measure == "accuracy" else badness

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Counts, and tells the network how far its estimate is from what it counts."""
        counted = sum(map(entropy_bytes, self._network.integers()))
        self._network.counted(counted)
        if logs is not None:
            logs["code_bytes"] = counted
        self.points.append(
            RatePoint(
                epoch=epoch + 1,
                code_bytes=counted,
                quality=self._quality,
                penalty=self._network.penalty,
            )
        )
