"""What L0 regularisation is asked for."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen


class L0(Frozen):
    """The objective min L(w) + λ ‖w‖₀, made differentiable by a random gate for each weight.

    Attributes:
        lam: λ, the price of all weights together: what is added to the loss is `lam` times the
            expected share of weights that are not zero, so that one value serves networks of any
            size. (The paper's λ, a price per weight and training set, is lam examples / weights.)
        temperature: of the gates while they are trained.
        gamma: where the stretched interval of a gate begins; below 0, so that gates close.
        zeta: where it ends; above 1, so that gates open wholly.
        init_keep: how open the gates are in the beginning.
        gate_learning_rate: peak learning rate of the gates.
        warmup: share of the training over which λ rises from 0.
        settle: share of the epochs, after the gates are fixed, in which the weights that are left
            are trained on.
        only: patterns of the layers that get gates; empty for all that can.
        protect: patterns of layers that stay dense; "first" and "last" too.

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 9 and section 2.2.

    Example:
        >>> L0(lam=10.0).gamma
        -0.1
    """

    lam: float = Field(default=10.0, ge=0)
    temperature: float = Field(default=2 / 3, gt=0)
    gamma: float = Field(default=-0.1, lt=0)
    zeta: float = Field(default=1.1, gt=1)
    init_keep: float = Field(default=0.9, gt=0, lt=1)
    gate_learning_rate: float = Field(default=0.1, gt=0)
    warmup: float = Field(default=0.2, ge=0, lt=1)
    settle: float = Field(default=0.2, ge=0, lt=1)
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
