"""A network whose weights pass through gates on every call, while it stays itself."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.network import flavors
from tflite_squeeze.network.observing import replaced
from tflite_squeeze.network.weights import Target
from tflite_squeeze.techniques.l0.config import L0


def sampled_gate(
    log_alpha: Any, uniform: Any, temperature: float, gamma: float, zeta: float
) -> Any:
    """A gate as it is drawn in training.

    Args:
        log_alpha: location of each gate, any shape; the higher, the more open.
        uniform: random numbers in (0, 1), of the same shape.
        temperature: beta; the lower, the closer to a coin that shows 0 or 1.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        min(1, max(0, s (zeta - gamma) + gamma)), with
        s = sigmoid((log(u / (1 - u)) + log alpha) / beta).

    Reference: Louizos et al. 2018, arXiv:1712.01312, equations 10 and 11.
    """
    noise = tf.math.log(uniform / (1.0 - uniform))
    concrete = tf.sigmoid((noise + log_alpha) / temperature)
    return tf.clip_by_value(concrete * (zeta - gamma) + gamma, 0.0, 1.0)


def open_probability(log_alpha: Any, temperature: float, gamma: float, zeta: float) -> Any:
    """How probable it is that a gate is not 0; summed over gates, the expected L0 norm.

    Args:
        log_alpha: location of each gate, any shape.
        temperature: beta.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        sigmoid(log alpha - beta log(-gamma / zeta)).

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 12.
    """
    return tf.sigmoid(log_alpha - temperature * float(np.log(-gamma / zeta)))


def final_gate(log_alpha: Any, gamma: float, zeta: float) -> Any:
    """A gate as it is after training, without chance.

    Args:
        log_alpha: location of each gate, any shape.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        min(1, max(0, sigmoid(log alpha) (zeta - gamma) + gamma)): exactly 0 for all closed gates.

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 13.
    """
    return tf.clip_by_value(tf.sigmoid(log_alpha) * (zeta - gamma) + gamma, 0.0, 1.0)


_SMALLEST = 1e-6  # keeps the logarithm of a random number finite


class _GatedNetwork:
    """What is trained: the model inside, its weights multiplied by gates, and the gates.

    The weights are replaced by their gated values only while the model is called, so there are
    no gated layer types, and models of any build can be trained.

    Args:
        model: a built Keras model.
        targets: the weights that get gates.
        config: how.
        gain: what the trained variables are multiplied by to give the way that log alpha has gone
            since the beginning. One optimiser thus moves gates and weights at rates of their own.
        warmup_steps: steps over which λ rises from 0.
        seed: of the random gates.
    """

    def __init__(
        self,
        model: Any,
        targets: Sequence[Target],
        config: L0,
        *,
        gain: float,
        warmup_steps: int,
        seed: int,
    ) -> None:
        super().__init__(name="gated")  # type: ignore[call-arg]
        self.inner = model
        self._config = config
        self._gain = gain
        self._warmup_steps = warmup_steps
        self._seed = seed
        # A plain tuple in __dict__: a Keras would track the layers and variables inside.
        self.__dict__["_targets"] = tuple(targets)
        self._locations = [
            self._variable(f"gate_{number}", target.shape, trainable=True)
            for number, target in enumerate(targets)
        ]
        self._step = self._variable("step", (), trainable=False)

    def _variable(self, name: str, shape: tuple[int, ...], *, trainable: bool) -> Any:
        return self.add_weight(  # type: ignore[attr-defined]
            name=name,
            shape=shape,
            dtype="float32",
            trainable=trainable,
            initializer="zeros",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Calls the model with gated weights, and adds the price of the open gates to the loss."""
        locations = [self._log_alpha(variable) for variable in self._locations]
        if training:
            self._step.assign(tf.convert_to_tensor(self._step) + 1.0)
            self.add_loss(self._price(locations))  # type: ignore[attr-defined]
        gates = [
            self._gate(location, number, training) for number, location in enumerate(locations)
        ]
        weights = [_gated(*pair) for pair in zip(self._targets, gates, strict=True)]  # type: ignore[attr-defined]
        with replaced(self._targets, weights):  # type: ignore[attr-defined]
            return self.inner(inputs, training=training)

    def _log_alpha(self, variable: Any) -> Any:
        keep = self._config.init_keep
        return self._gain * tf.convert_to_tensor(variable) + float(np.log(keep / (1 - keep)))

    def _gate(self, location: Any, number: int, training: bool) -> Any:
        config = self._config
        if not training:
            return final_gate(location, config.gamma, config.zeta)
        step = tf.cast(tf.convert_to_tensor(self._step), tf.int32)
        uniform = tf.random.stateless_uniform(
            location.shape,
            tf.stack([self._seed * 1000 + number, step]),
            _SMALLEST,
            1 - _SMALLEST,
            alg="philox",  # XLA's own choice is 35 times slower on CPUs
        )
        return sampled_gate(location, uniform, config.temperature, config.gamma, config.zeta)

    def _price(self, locations: list[Any]) -> Any:
        config = self._config
        expected = tf.add_n(
            [
                tf.reduce_sum(
                    open_probability(location, config.temperature, config.gamma, config.zeta)
                )
                for location in locations
            ]
        )
        gates = sum(target.size for target in self._targets)  # type: ignore[attr-defined]
        rise = tf.minimum(1.0, tf.convert_to_tensor(self._step) / max(1, self._warmup_steps))
        return config.lam * rise * expected / gates

    def write_gates(self) -> None:
        """Multiplies the model's own weights by their final gates: zeros are then exact."""
        for target, variable in zip(self._targets, self._locations, strict=True):  # type: ignore[attr-defined]
            location = self._log_alpha(variable)
            gate = final_gate(location, self._config.gamma, self._config.zeta).numpy()
            target.variable.assign(np.asarray(target.variable) * gate)


def _gated(target: Target, gate: Any) -> Any:
    weight = tf.convert_to_tensor(target.variable)
    return weight * tf.cast(gate, weight.dtype)


@cache
def _network_class(flavor: flavors.Flavor) -> type:
    return type("GatedNetwork", (_GatedNetwork, flavors.keras_of(flavor).Model), {})


def gated_network(model: Any, targets: Sequence[Target], config: L0, **options: Any) -> Any:
    """Puts gates on weights of a model, as a Keras model of the same version of Keras.

    Args:
        model: a built Keras model.
        targets: the weights.
        config: how.
        options: gain, warmup_steps and seed.
    """
    return _network_class(flavors.known_flavor(model))(model, targets, config, **options)
