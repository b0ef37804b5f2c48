"""L0 regularization: training decides which weights become zero, with a penalty on each.

The objective is the loss plus a penalty for every weight that is not zero,

    min L(w) + λ ‖w‖₀

which has no gradient. So each weight is multiplied by a random gate z in [0, 1] that is exactly 0
or 1 with a probability that can be trained (the hard concrete distribution): the expected number of
open gates takes the place of ‖w‖₀. After training the gates are fixed, and closed ones leave exact
zeros in a plain model.

Reference: Louizos et al. 2018, arXiv:1712.01312.

Files:
    config.py: `L0`, its configuration.
    l0.py: the verb `l0_prune`.
    gates.py: the gates as tensor functions (equations 10 to 13), and the network that trains them.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze l0`.

It pays as pruning does, in bytes, and needs no sparsity per layer: one number, λ, is the price, and
the layers settle among themselves. It does not pay where a sparsity has to be met exactly, since
λ does not say one, nor where training is short: gates take some ten epochs to close. There is no
callback, as the gates replace the weights on every call.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="l0",
    summary="Train with an L0 penalty, which sets weights exactly to zero.",
    package=__name__,
    config=".config:L0",
    verb=".l0:l0_prune",
    record=".record:L0Record",
    claims=".claims:claimed",
    command=".command:l0_command",
    makes=("zeros",),
    undoes={
        "shared values": "gates and training move weights off their shared values",
        "integers": "gates and training move weights off their grid",
    },
    trains=True,
    softer={"lam": "price"},
    aliases=("L0 regularization", "hard concrete gates"),
)
