"""What changes in a binary network while it trains: signs that flip, and the bits that it takes."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.variables import callback_class
from tflite_squeeze.techniques.binarization.bit_size import packed_bytes, quantised_weights


def flip_ratio(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The share of weights whose quantised value is another than before.

    Example:
        >>> flip_ratio(np.array([1, 1, -1, -1]), np.array([1, -1, -1, -1]))
        0.25
    """
    return float(np.mean(before != after)) if before.size else 0.0


class _FlipRatio:
    """Writes `flip_ratio/<layer>/<kernel>` and `packed_bytes` into the logs of every epoch."""

    model: Any

    def on_train_begin(self, _logs: Any = None) -> None:
        """Remembers the signs as they are."""
        self._before = quantised_weights(self.model)

    def on_epoch_end(self, _epoch: int, logs: Any = None) -> None:
        """Compares them with what they are now."""
        after = quantised_weights(self.model)
        if logs is not None:
            for name, (values, _) in after.items():
                logs[f"flip_ratio/{name}"] = flip_ratio(self._before[name][0], values)
            logs["packed_bytes"] = float(packed_bytes(self.model))
        self._before = after


@cache
def _made_class() -> type:
    return type("FlipRatio", (_FlipRatio, callback_class()), {"__doc__": _FlipRatio.__doc__})


def flip_ratio_callback() -> Any:
    """A callback for `fit` of any model with Larq's layers: flips per layer, bytes of all weights.

    Example:
        >>> model.fit(x, y, callbacks=[flip_ratio_callback()]).history["packed_bytes"]
        [13506.0]
    """
    return _made_class()()
