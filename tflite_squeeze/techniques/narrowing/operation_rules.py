"""What operations do with channels: those of Keras 3, and of TensorFlow under tf_keras."""

from tflite_squeeze.network.graph import Node, Value, flat
from tflite_squeeze.techniques.narrowing.following import Following
from tflite_squeeze.techniques.narrowing.layer_rules import Rule, broadcast

RULES: dict[str, Rule] = {}


def elementwise(follow: Following, node: Node) -> str:
    """Number by number, with scalars among the arguments at most."""
    for leaf in flat([node.args, node.kwargs]):
        if not isinstance(leaf, Value) and getattr(leaf, "shape", ()) not in ((), (1,)):
            return "has a constant for each channel"
    return broadcast(follow, node)


_ELEMENTWISE = (
    "Add", "Subtract", "Multiply", "Maximum", "Minimum", "Relu", "Relu6", "Sigmoid",
)  # fmt: skip
RULES |= dict.fromkeys(_ELEMENTWISE, elementwise)
