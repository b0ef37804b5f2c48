"""Binary and ternary networks: weights, or weights and inputs, of one or two bits.

Each weight is replaced on every call by a sign with a scale s of its output channel,

    w ← s · sign(w)    or, ternary,    w ← s · sign(w) where |w| > Δ, else 0

and the gradient passes straight through to the latent weight. Float inputs keep the layers as
they are, for the stock runtime; binary inputs take Larq's layers and its runtime, where a dot
product is an XNOR and a count of bits.

References: Rastegari et al. 2016, arXiv:1603.05279 (binary); Li et al. 2016, arXiv:1605.04711 and
Zhu et al. 2017, arXiv:1612.01064 (ternary); Bulat et al. 2019, arXiv:1904.05868 (stages).

Files:
    config.py: `Binarize`, its configuration.
    binarize.py: the verb `binarize`, and float inputs.
    ternary.py: signs, scales, thresholds and their derivatives, as tensor functions.
    ternary_network.py: a network that computes with few values and trains the weights behind them.
    larq_binarize.py: binary inputs: a model of Larq's layers.
    larq_layers.py, binary_layout.py: which layers can be binary, and the order that suits them.
    larq_training.py: stages, optimizers, and what is logged.
    bit_size.py: how large such a network is where each weight takes the bits it needs.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze binarize`.

It pays in bytes (2 bits a weight on the stock runtime), and with Larq's runtime on 64-bit Arm in
time. It costs accuracy: first and last layers stay in float, and without long training little is
left. It is the last step of a recipe, since nothing that trains plain weights can follow. There is
no callback, as the values replace the weights on every call.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="binarize",
    summary="Quantize weights, or weights and inputs, to one or two bits.",
    package=__name__,
    config=".config:Binarize",
    verb=".binarize:binarize",
    record=".record:BinarizeRecord",
    claims=".claims:claimed",
    command=".command:binarize_command",
    undoes={
        "integers": "signs take the place of all other integers",
        "shared values": "signs take the place of the shared values",
        "zeros": "signs have no zeros",
    },
    last=True,
    aliases=(
        "binarization",
        "binary neural network",
        "ternary weights",
        "quantization to few bits",
    ),
)
