"""Layers as chains of thinner layers of the same Keras: plain configurations, no weights."""

from typing import Any

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
