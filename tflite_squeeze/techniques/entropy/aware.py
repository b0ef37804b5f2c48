"""A network that trains with the price of its bytes, for the user's own training."""

from typing import Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.penalized import penalized_network, selected


@checked_arguments
def entropy_penalized(
    model: Any, config: EntropyPenalty | None = None, *, examples: int, steps: int
) -> Any:
    """A network around a model that computes with integer weights, and has their price in its loss.

    Args:
        model: a built Keras model of either version, trained or not.
        config: the price, and which layers have it.
        examples: how many there are to train on.
        steps: of the whole training, over which the price rises.

    Returns:
        A Keras model of the same version, to be compiled and trained as the model would be. Its
        method `write` then makes the model's own weights the rounded ones.

    Raises:
        UsageError: no weight of the model can have a price.

    Example:
        >>> network = entropy_penalized(model, EntropyPenalty(), examples=len(x), steps=20 * 469)
        >>> network.compile("adam", "sparse_categorical_crossentropy")
        >>> history = network.fit(x, y, batch_size=128, epochs=20)
        >>> network.write()
    """
    asked = config or EntropyPenalty()
    targets = selected(model, asked).targets
    return penalized_network(model, targets, asked, examples=examples, steps=steps)
