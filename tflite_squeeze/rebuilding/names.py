"""Names of layers from those of a file's operators."""

import re
from collections import Counter
from collections.abc import Sequence

# What tf2onnx appends to the name of the operator that a new one comes from.
_TURNED = re.compile(r"(?<!_Gemm)__\d+$")
_MADE_UP = re.compile(r"(_[A-Z]\w*)?__\d+$")


def short_names(names: Sequence[str]) -> list[str]:
    """Names of layers from names of operators, which tell all that was fused into each.

    Args:
        names: as TensorFlow's converter and tf2onnx make them.

    Returns:
        As many, each another.

    Example:
        >>> short_names(["net/conv_1/BiasAdd;net/conv_1/Conv2D", "net/pool/MaxPool2d__23"])
        ['conv_1', 'pool']
    """
    paths = [_MADE_UP.sub("", name.split(";")[0]).split("/") for name in names]
    deep = [path for path in paths if len(path) > 1]
    common = len({path[0] for path in deep}) == 1 and all(len(path) > 2 for path in deep)
    found, seen = [""] * len(names), Counter[str]()
    # What only turns axes for an operator comes before it, and is not what has its name.
    for at in sorted(range(len(names)), key=lambda at: bool(_TURNED.search(names[at]))):
        inner = paths[at][int(common and len(paths[at]) > 1) :]
        short = "/".join(inner[:-1] or inner)
        seen[short] += 1
        found[at] = short if seen[short] == 1 else f"{short}__{seen[short]}"
    return found
