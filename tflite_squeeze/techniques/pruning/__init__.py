"""Pruning: weights become zero, and the others are trained around them.

Weights are ranked by a score, and the lowest share of them, the sparsity s, is multiplied by zero:

    w ← m ⊙ w,    m_i = 1 where score(w_i) is among the (1 - s) n highest, else 0

While a model trains, s rises along a schedule; the masks m are constraints of the Keras variables,
so they hold inside the compiled step and leave nothing to strip.

References: LeCun et al. 1990, "Optimal Brain Damage"; Han et al. 2015, arXiv:1506.02626; the
polynomial schedule: Zhu and Gupta 2017, arXiv:1710.01878. Scores, budgets and schedules cite
their own papers.

Files:
    config.py: `Prune`, its configuration.
    prune.py: the verb `prune`.
    callback.py: `PruningCallback`, for your own `model.fit`.
    prunable.py: `Prunable` and `strip`, to mark layers where a model is defined.
    scores.py, scoring_data.py: what a weight is worth (magnitude, Taylor, Wanda, random, or your
        own function), and the samples that some scores are taken on.
    budgets.py, sparsities.py: how the sparsity is spread over the layers.
    schedules.py, tfmot_schedule.py: sparsity as a function of the training step.
    masks.py: from scores to masks, as array functions; element, filter, block and N:M.
    masking.py, grouped_masks.py: the masks of a whole model.
    sensitivity/: what pruning costs, weight by weight, with a command of its own.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze prune`.

It pays in bytes: of the download always, of the file with sparse encodings (`convert --sparsity`).
It pays in time only where the target has sparse kernels, which few have; whole filters of zeros
become smaller and faster layers when they are removed.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="prune",
    summary="Zero the weights that matter least, and train the others around them.",
    package=__name__,
    config=".config:Prune",
    verb=".prune:prune",
    callback=".callback:PruningCallback",
    record=".record:PruneRecord",
    claims=".claims:claimed",
    command=".command:prune_command",
    redundant=".config:fewer_zeros",
    makes=("zeros",),
    elementwise=True,
    undoes={
        "shared values": "new zeros and training move weights off their shared values",
        "integers": "new zeros and training move weights off their grid",
    },
    softer={"sparsity": "removed", "layers": "removed", "threshold": "price"},
    aliases=("magnitude pruning", "unstructured pruning", "sparsification"),
)
