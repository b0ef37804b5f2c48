"""Entropy-penalized training: the loss has a price for every byte of the weights.

Weights are integers q times a trained step s, and each costs the length of its code under a trained
distribution, a mixture of three logistics around 0:

    min L(w) + λ Σ -log p(q),  q = round(w / s)

The network computes with rounded weights, and gradients pass the rounding; those of the code length
are taken with noise in place of rounding, averaged out. Zeros, small integers and coarse steps come
out of one training, in place of zeros and values chosen by magnitude one after the other. L0
regularization is the limit of a code that tells zero from all else.

Reference: Oktay et al. 2020, arXiv:1906.06624; Ballé et al. 2017, arXiv:1611.01704.

Files:
    config.py: `EntropyPenalty`, its configuration.
    penalize.py: the verb `penalize_entropy`.
    aware.py: `entropy_penalized`, for your own `model.fit`.
    penalized.py: the network that is trained, around the model.
    rate.py: code lengths, their gradients, and rounding, as tensor functions.
    grid.py: steps and integers, as array functions.
    curve.py: rate and quality by epoch.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze entropy`.

It pays in the download of packed files, more than pruning and clustering one after the other, and
its int8 file has the trained integers. It needs a whole training: the code gets shorter for some
twenty epochs. There is no callback, as rounded weights stand in for the weights on every call.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="entropy",
    summary="Train with the bytes of the weights in the loss (entropy penalty).",
    package=__name__,
    config=".config:EntropyPenalty",
    verb=".penalize:penalize_entropy",
    record=".record:EntropyRecord",
    claims=".claims:claimed",
    command=".command:entropy_command",
    makes=("zeros", "integers"),
    undoes={"shared values": "each weight becomes a multiple of a step of its own grid"},
    trains=True,
    softer={"penalty": "price", "target_bytes": "count"},
    aliases=("entropy-penalized reparameterization", "rate-distortion training"),
)
