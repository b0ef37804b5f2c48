"""The configuration of L0 regularization."""

from pydantic import Field

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

# Gates take about this long to close.
DEFAULT_PASSES = 20


class L0(Frozen):
    """The objective min L(w) + λ ‖w‖₀, made differentiable by a random gate for each weight.

    `lam` is counted per network, so that one value serves networks of any size: the paper's λ, a
    price per weight and training set, is lam · examples / weights.

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 9 and section 2.2.

    Example:
        >>> L0(lam=10.0).gamma
        -0.1
    """

    lam: float = Field(
        default=10.0,
        ge=0,
        description="λ, the price of all weights together: the loss rises by λ times the "
        "expected fraction of nonzero weights.",
    )
    temperature: float = Field(
        default=2 / 3, gt=0, description="Temperature of the gates during training."
    )
    gamma: float = Field(
        default=-0.1,
        lt=0,
        description="Lower end of the interval that gates are stretched to; below 0, so that "
        "gates can close.",
    )
    zeta: float = Field(
        default=1.1,
        gt=1,
        description="Upper end of the interval that gates are stretched to; above 1, so that "
        "gates can open fully.",
    )
    init_keep: float = Field(
        default=0.9, gt=0, lt=1, description="Probability of each gate to be open at the start."
    )
    gate_learning_rate: float = Field(
        default=0.1, gt=0, description="Peak learning rate of the gates."
    )
    warmup: float = Field(
        default=0.2, ge=0, lt=1, description="Fraction of the training during which λ rises from 0."
    )
    settle: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Fraction of the epochs, at the end, that train the remaining weights with "
        "fixed gates.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()
