"""Low-rank factorization: one kernel becomes a chain of smaller ones.

A kernel W (m by n) is replaced by the product of two, U (m by r) and V (r by n), which takes
r (m + n) weights instead of m n. With data, the factors keep what the layer answers on its inputs,
x, rather than the weights themselves:

    min over rank r  E ‖(W - UV)ᵀ x‖²

which is the singular value decomposition of C^½ W, where C = E[x xᵀ]. Convolutions become a pair
of convolutions along channels or along space, or three of them (Tucker-2). The heads of an
attention get fewer dimensions. With samples, layers are then solved by least squares for what the
original computed.

References: Zhang et al. 2015, arXiv:1505.06798 (channels, on data); Jaderberg et al. 2014,
arXiv:1405.3866 (space); Kim et al. 2016, arXiv:1511.06530 (Tucker-2).

Files:
    config.py: `Factorize`, its configuration.
    factorize.py: the verb `factorize`.
    low_rank.py, vbmf.py: decompositions of a matrix, and the rank it has apart from noise.
    factor_schemes.py: kernels as chains of smaller kernels.
    attention.py: the heads of a MultiHeadAttention with fewer dimensions.
    input_moments.py: C, streamed over samples.
    rank_choice.py, rank_budget.py: which ranks a layer may get, and the knapsack of a budget.
    sensitivity.py, allocation.py: what the answers lose by each, and how a budget is spent.
    factorable.py: which layers have a kernel that can be factorized, and why others have none.
    splitting.py: one layer as a chain: its factors, error, layers and times.
    attempt.py, repair.py: all layers split as planned, and solved by least squares afterwards.
    latency_judge.py: times candidates on LiteRT.
    layers.py: `FactorizedDense` and `FactorizedConv2D`, low-rank from the start.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze factorize`.

It pays in bytes, multiply-accumulates and time, for float models and for large Dense layers above
all. It does not pay for small convolutions, in int8 especially, where two kernels cost more than
one: `measure` finds out. Shapes change, so there is no callback: train the result like any model.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="factorize",
    summary="Split layers into low-rank factors where that saves size and time.",
    package=__name__,
    config=".config:Factorize",
    verb=".factorize:factorize",
    record=".record:FactorizeRecord",
    claims=".claims:claimed",
    command=".command:factorize_command",
    makes=("factors",),
    undoes={
        "integers": "the factors of a matrix of integers are none",
        "shared values": "two factors take the place of the shared values",
        "zeros": "the factors of a sparse matrix are dense",
    },
    softer={
        "rank": "count",
        "ranks": "count",
        "ratio": "kept",
        "energy": "kept",
        "keep": "kept",
        "macs_ratio": "kept",
        "bytes_ratio": "kept",
        "max_error": "price",
    },
    aliases=("low-rank factorization", "low-rank approximation", "SVD", "Tucker decomposition"),
)
