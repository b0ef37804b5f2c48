"""Layers that are trained as low-rank factors from the start: FactorizedDense, FactorizedConv2D."""

import json
from contextlib import nullcontext
from functools import cache
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.factor_chains import Chain, conv_chain, dense_chain
from tflite_squeeze.network.flavors import Flavor, keras_of

PACKAGE = "tflite_squeeze"
NAMES = ("FactorizedDense", "FactorizedConv2D")
_OWN = ("name", "trainable", "dtype", "batch_input_shape", "input_shape", "input_dim")


class _Factorized:
    """A chain of plain layers of one Keras in the place of one.

    Attributes:
        chain: the layers, once built.
    """

    _whole: str  # the type of the layer that the chain stands for

    def _begin(self, options: dict[str, Any]) -> None:
        own = {key: options.pop(key) for key in _OWN if key in options}
        super().__init__(**own)
        keras = self._keras()
        # Made to check the options and to write them as plain data; as text, since a Keras would
        # keep a dict in containers of its own.
        template = getattr(keras.layers, self._whole)(name=self.name, **options)  # type: ignore[attr-defined]
        self.settings = json.dumps(template.get_config())
        self.supports_masking = bool(template.supports_masking)
        self.chain: list[Any] = []

    def _scope(self, name: str) -> Any:
        """Where tf_keras takes the names of weights from; an HDF5 file wants them to differ."""
        if self.flavor is Flavor.KERAS:  # type: ignore[attr-defined]
            return nullcontext()
        import tensorflow as tf

        return tf.name_scope(name)

    def _keras(self) -> Any:
        return keras_of(self.flavor)  # type: ignore[attr-defined]

    def _configs(self, received: int) -> Chain:
        raise NotImplementedError

    def whole_config(self) -> dict[str, Any]:
        """The configuration of the one layer that the chain amounts to."""
        settings: dict[str, Any] = json.loads(self.settings)
        own = super().get_config()  # type: ignore[misc]
        return {**settings, **{key: own[key] for key in ("name", "trainable", "dtype")}}

    def build(self, input_shape: Any) -> None:
        """Makes and builds the chain."""
        keras = self._keras()
        shape = tuple(input_shape)
        for kind, config in self._configs(int(shape[-1])):
            layer = getattr(keras.layers, kind).from_config(config)
            with self._scope(layer.name):
                layer.build(shape)
            self.chain.append(layer)
            shape = tuple(layer.compute_output_shape(shape))
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Calls one after the other."""
        for layer in self.chain:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape of the one layer that the chain amounts to."""
        whole = getattr(self._keras().layers, self._whole).from_config(self.whole_config())
        return whole.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The options of the one layer, and the rank, as plain data."""
        return {**super().get_config(), **self.whole_config(), **self._ranks()}  # type: ignore[misc]

    def _ranks(self) -> dict[str, Any]:
        raise NotImplementedError


class _FactorizedDense(_Factorized):
    """A Dense whose kernel is a product U V: inputs x rank, rank x units.

    Args:
        units: outputs.
        rank: of the kernel.
        options: what Dense takes.
    """

    _whole = "Dense"

    def __init__(self, units: int, rank: int, **options: Any) -> None:
        self._begin({"units": units, **options})
        self.rank = _checked(rank)

    def _configs(self, received: int) -> Chain:
        return dense_chain(self.whole_config(), self.rank)

    def _ranks(self) -> dict[str, Any]:
        return {"rank": self.rank}


class _FactorizedConv2D(_Factorized):
    """A Conv2D whose kernel is that of a chain of two or three.

    Args:
        filters: output channels.
        kernel_size: as for Conv2D.
        rank: a number; for "tucker" a pair, of inputs and outputs.
        scheme: "spatial" (k x 1, 1 x k), "channel" (k x k, 1 x 1) or "tucker" (1 x 1, k x k,
            1 x 1).
        options: what Conv2D takes; no groups.
    """

    _whole = "Conv2D"

    def __init__(
        self, filters: int, kernel_size: Any, rank: Any, scheme: str = "spatial", **options: Any
    ) -> None:
        if options.get("groups", 1) != 1:
            raise UsageError("FactorizedConv2D has no groups: use Conv2D for them")
        if scheme not in ("spatial", "channel", "tucker"):
            raise UsageError(f"scheme is {scheme!r}: use spatial, channel or tucker")
        self._begin({"filters": filters, "kernel_size": kernel_size, **options})
        self.scheme = scheme
        pair = [_checked(one) for one in (rank if isinstance(rank, list | tuple) else [rank])]
        if len(pair) != (2 if scheme == "tucker" else 1):
            raise UsageError(f"rank is {rank!r}: {scheme} takes {_WANTED[scheme]}")
        self.rank = pair[0] if len(pair) == 1 else tuple(pair)

    def _configs(self, received: int) -> Chain:
        ranks = self.rank if isinstance(self.rank, tuple) else (self.rank,)
        if self.scheme == "tucker" and ranks[0] > received:
            raise UsageError(
                f"layer {self.name!r}: rank {ranks[0]} of the inputs is more than its {received} "  # type: ignore[attr-defined]
                f"channels: lower it"
            )
        return conv_chain(self.whole_config(), self.scheme, tuple(ranks), received)

    def _ranks(self) -> dict[str, Any]:
        rank = list(self.rank) if isinstance(self.rank, tuple) else self.rank
        return {"rank": rank, "scheme": self.scheme}


_WANTED = {"spatial": "one number", "channel": "one number", "tucker": "two, of inputs and outputs"}


def _checked(rank: Any) -> int:
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise UsageError(f"rank is {rank!r}: give a whole number from 1 on")
    return rank


@cache
def factorized_class(name: str, flavor: Flavor) -> Any:
    """A layer's class for one Keras, registered there so that saved models load.

    Args:
        name: "FactorizedDense" or "FactorizedConv2D".
        flavor: the Keras.
    """
    base = _FactorizedDense if name == "FactorizedDense" else _FactorizedConv2D
    keras = keras_of(flavor)
    about = {"__doc__": base.__doc__, "flavor": flavor}
    made = type(name, (base, keras.layers.Layer), about)
    return keras.saving.register_keras_serializable(PACKAGE, name)(made)
