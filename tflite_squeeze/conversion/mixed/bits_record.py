"""How many bits the weights of each layer got, and what that was decided on."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen


class LayerBits(Frozen):
    """The weights of a layer."""

    layer: str = Field(description="Its name.")
    bits: int = Field(description="Of each weight.")
    bytes: int = Field(description="Of all of them, scales included.")
    losses: dict[int, float] = Field(
        description="Loss of the answers by number of bits, when this layer alone has them, its "
        "rounding made up for: mean KL divergence in nats of classes, noise over variance of "
        "numbers."
    )


class BitsRecord(Frozen):
    """The bits of all layers."""

    layers: tuple[LayerBits, ...] = Field(description="In the order of the network.")
    max_drop: float = Field(
        description="Largest loss of accuracy, or of agreement with the model where there are no "
        "labels, on the samples that decided."
    )
    chosen_on: int = Field(description="Samples that decided.")
    held_out: bool = Field(
        description="Whether these were held back from training; others judged the file."
    )
    labelled: bool = Field(description="Whether these had labels.")
    files: int = Field(description="Number of files that were made and checked.")
