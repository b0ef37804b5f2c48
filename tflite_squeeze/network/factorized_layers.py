"""Layers that are trained as low-rank factors from the start: FactorizedDense, FactorizedConv2D."""

import json
from contextlib import nullcontext
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.both_versions import BothVersions
from tflite_squeeze.network.flavors import Flavor, keras_of

Config = dict[str, Any]


Chain = list[tuple[str, Config]]


def dense_chain(config: Config, rank: int) -> Chain:
    """A Dense as two: to the rank without bias or activation, then to the units.

    Args:
        config: of the Dense, as `get_config` gives it.
        rank: units of the first.
    """
    return [("Dense", _bare(config, 1, units=rank)), ("Dense", _last(config))]


def embedding_chain(config: Config, rank: int) -> Chain:
    """An Embedding as a narrower one and a Dense that widens what it looks up."""
    first = {**config, "name": _named(config, 1), "output_dim": rank}
    first["embeddings_constraint"] = None
    second: Config = {key: config[key] for key in ("trainable", "dtype") if key in config}
    second |= {"name": config["name"], "units": config["output_dim"], "use_bias": False}
    return [("Embedding", first), ("Dense", second)]


def separable_chain(kind: str, config: Config, rank: int) -> Chain:
    """A separable convolution as one with fewer filters, and a 1 x 1 convolution to all.

    Args:
        kind: "SeparableConv1D" or "SeparableConv2D".
        config: of the layer.
        rank: filters of the first.
    """
    first = _bare(config, 1, filters=rank)
    first |= {key: None for key in first if key == "pointwise_constraint"}
    kept = ("name", "trainable", "dtype", "filters", "data_format", "activation", "use_bias",
            "bias_initializer", "bias_regularizer", "bias_constraint",
            "activity_regularizer")  # fmt: skip
    second: Config = {key: config[key] for key in kept if key in config}
    return [(kind, first), (kind.removeprefix("Separable"), {**second, "kernel_size": 1})]


def einsum_chain(config: Config, rank: int) -> Chain:
    """An EinsumDense as two: the axes that it sums over become one of the size of the rank."""
    first, second = split_equation(config["equation"])
    inner = second.split(",")[1][0]
    axes = first.split("->")[1]
    # The shape leaves out what the ellipsis stands for, and the batch unless that is in it.
    named = axes.removeprefix("...") if axes.startswith("...") else axes[1:].removesuffix("...")
    shape = tuple(rank if letter == inner else None for letter in named)
    bare = _bare(config, 1, equation=first, output_shape=shape, bias_axes=None)
    return [("EinsumDense", bare), ("EinsumDense", {**_last(config), "equation": second})]


def split_equation(equation: str) -> tuple[str, str]:
    """The equations of the two products that one product with a matrix becomes.

    Example:
        >>> split_equation("abc,cde->abde")
        ('abc,cz->abz', 'abz,zde->abde')
    """
    received, kernel, result = equation.replace("->", ",").split(",")
    summed = [letter for letter in kernel if letter not in result]
    kept = [letter for letter in kernel if letter in result]
    rank = next(letter for letter in "zyxwvutsrqponmlkjihgfedcba" if letter not in equation)
    place = next(letter for letter in received if letter in summed)
    between = "".join(
        rank if letter == place else letter
        for letter in received
        if letter == place or letter not in summed
    )
    first = f"{received},{''.join(summed)}{rank}->{between}"
    return first, f"{between},{rank}{''.join(kept)}->{result}"


def conv_chain(config: Config, scheme: str, ranks: tuple[int, ...], received: int) -> Chain:
    """A Conv2D as two or three.

    Args:
        config: of the Conv2D.
        scheme: "channel", "spatial" or "tucker".
        ranks: one; for "tucker" those of inputs and outputs.
        received: input channels.
    """
    (rows, columns), (down, across) = config["kernel_size"], config["strides"]
    far, wide = config["dilation_rate"]
    if scheme == "spatial":
        vertical = _bare(config, 1, filters=ranks[0], kernel_size=(rows, 1), strides=(down, 1),
                         dilation_rate=(far, 1))  # fmt: skip
        horizontal = {**_last(config), "kernel_size": (1, columns), "strides": (1, across),
                      "dilation_rate": (1, wide)}  # fmt: skip
        return [("Conv2D", vertical), ("Conv2D", horizontal)]
    single = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1)}
    before, inner = (received, ranks[0]) if scheme == "channel" else ranks
    chain: list[Config] = []
    if before < received:
        chain.append(_bare(config, 1, filters=before, **single))
    if scheme == "tucker" and inner == config["filters"]:
        chain.append(_last(config))
    else:
        chain.append(_bare(config, len(chain) + 1, filters=inner))
        chain.append({**_last(config), **single})
    return [("Conv2D", one) for one in chain]


def _named(config: Config, number: int) -> str:
    return f"{config['name']}_factor_{number}"


def _bare(config: Config, number: int, **changes: Any) -> Config:
    """A layer before the last: no bias, no activation, a name of its own."""
    plain = {
        "name": _named(config, number), "activation": "linear", "use_bias": False,
        "bias_regularizer": None, "bias_constraint": None, "activity_regularizer": None,
        "kernel_constraint": None,
    }  # fmt: skip
    bare = {**config, **plain, **changes}
    return {key: value for key, value in bare.items() if key in config or key in changes}


def _last(config: Config) -> Config:
    """The last layer has the bias, the activation and the name of the whole."""
    # A constraint of the whole kernel means nothing on a factor.
    last = {**config, "kernel_constraint": None}
    last.pop("batch_input_shape", None)  # tf_keras's way to begin a Sequential
    return last


_OWN = ("name", "trainable", "dtype", "batch_input_shape", "input_shape", "input_dim")


class Factorized(BothVersions):
    """A chain of plain layers of one Keras in the place of one.

    Attributes:
        chain: the layers, once built.
    """

    _whole: str  # the type of the layer that the chain stands for

    @classmethod
    def _version_for(cls, *args: Any, keras: Any = None, **kwargs: Any) -> Flavor:
        return Flavor.KERAS if keras is None else Flavor(keras.__name__)

    def _begin(self, options: dict[str, Any]) -> None:
        own = {key: options.pop(key) for key in _OWN if key in options}
        super().__init__(**own)
        keras = keras_of(self.flavor)
        # Made to check the options and to write them as plain data; as text, since a Keras would
        # keep a dict in containers of its own.
        template = getattr(keras.layers, self._whole)(name=self.name, **options)
        self.settings = json.dumps(template.get_config())
        self.supports_masking = bool(template.supports_masking)
        self.chain: list[Any] = []

    def _scope(self, name: str) -> Any:
        """Where tf_keras takes the names of weights from; an HDF5 file wants them to differ."""
        if self.flavor is Flavor.KERAS:
            return nullcontext()
        import tensorflow as tf

        return tf.name_scope(name)

    def _configs(self, received: int) -> Chain:
        raise NotImplementedError

    def whole_config(self) -> dict[str, Any]:
        """The configuration of the one layer that the chain amounts to."""
        settings: dict[str, Any] = json.loads(self.settings)
        own = super().get_config()  # type: ignore[misc]
        return {**settings, **{key: own[key] for key in ("name", "trainable", "dtype")}}

    def build(self, input_shape: Any) -> None:
        """Makes and builds the chain."""
        keras = keras_of(self.flavor)
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
        whole = getattr(keras_of(self.flavor).layers, self._whole).from_config(self.whole_config())
        return whole.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The options of the one layer, and the rank, as plain data."""
        return {**super().get_config(), **self.whole_config(), **self._ranks()}  # type: ignore[misc]

    def _ranks(self) -> dict[str, Any]:
        raise NotImplementedError


class FactorizedDense(Factorized):
    """A Dense whose kernel is a product of inputs x rank and rank x units.

    Args:
        units: outputs.
        rank: of the kernel. It saves where rank · (inputs + units) < inputs · units.
        keras: the module of the Keras that the layer is for, `keras` or `tf_keras`; None for
            Keras 3.
        options: what Dense takes.

    Raises:
        UsageError: the rank is no whole number from 1 on.

    Example:
        >>> model = keras.Sequential([keras.Input((784,)), FactorizedDense(300, rank=16)])
    """

    keras_name, _whole = "FactorizedDense", "Dense"

    def __init__(self, units: int, rank: int, *, keras: Any = None, **options: Any) -> None:
        self._begin({"units": units, **options})
        self.rank = _checked(rank)

    def _configs(self, received: int) -> Chain:
        return dense_chain(self.whole_config(), self.rank)

    def _ranks(self) -> dict[str, Any]:
        return {"rank": self.rank}


class FactorizedConv2D(Factorized):
    """A Conv2D whose kernel is that of a chain of two or three smaller convolutions.

    Args:
        filters: output channels.
        kernel_size: as for Conv2D.
        rank: channels between the two; for "tucker" a pair, of inputs and outputs.
        scheme: "spatial" (k x 1, 1 x k), "channel" (k x k, 1 x 1) or "tucker" (1 x 1, k x k,
            1 x 1).
        keras: as in `FactorizedDense`.
        options: what Conv2D takes; no groups.

    Raises:
        UsageError: rank and scheme do not fit together.

    Example:
        >>> layer = FactorizedConv2D(64, 3, rank=16, padding="same", activation="relu")
    """

    keras_name, _whole = "FactorizedConv2D", "Conv2D"

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        rank: Any,
        scheme: str = "spatial",
        *,
        keras: Any = None,
        **options: Any,
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
                f"layer {self.name!r}: rank {ranks[0]} of the inputs is more than its {received} "
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


LAYERS: dict[str, type[Factorized]] = {
    layer.keras_name: layer for layer in (FactorizedDense, FactorizedConv2D)
}
