"""Filter pruning: whole filters and units are removed, so that layers get smaller.

Layers whose outputs are added or multiplied must have the same channels, so what is removed is a
unit: all positions, in all tensors, that can only go together. Units that are made in one place
are a group, and compete in it (DepGraph: Fang et al. 2023, arXiv:2301.12900). Each unit is scored
by the weights that make it and take it, each norm relative to its mean over the units:

    score = Σ ‖weights that make it‖ · Π ‖depthwise weights on its way‖ · Σ ‖weights that take it‖

and the lowest share of them is cut out of every layer of the group. A channel of zeros scores 0 and
goes first. What is left is a plain, smaller model, which is then trained.

Reference: Li et al. 2017, arXiv:1608.08710.

Files:
    config.py: `Narrow`, its configuration.
    narrow.py: the verb `narrow`, and the score.
    channels.py: which channels go together, and which layers have them, found from the graph.
    following.py: what is known while the graph is followed.
    layer_rules.py, normalization_rules.py, shape_rules.py, sequence_rules.py: what each kind of
        layer does with channels.
    operation_rules.py: what operations do with them.
    cutting.py: the model without the units that go.
    scores.py, allocation.py: in which order channels go, and how many of each group.
    plans.py, width_table.py: widths for any budget, from one measurement, for searches.
    repair.py: layers solved anew behind a cut, by least squares, without training.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze narrow`.

It pays everywhere, in bytes, memory and time, on any runtime, since the layers are ordinary ones;
most where the width left is a multiple of 8. It costs more accuracy than zeros of the same number,
and nearly all of it without training. Shapes change, so there is no callback.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="narrow",
    summary="Remove whole filters and units, so that layers get smaller and faster.",
    package=__name__,
    config=".config:Narrow",
    verb=".narrow:narrow",
    record=".record:NarrowRecord",
    claims=".claims:claimed",
    command=".command:narrow_command",
    undoes={
        "shared values": "training after it moves weights off their shared values",
        "factors": "factorized layers have no filters to remove",
    },
    resizes=True,
    softer={"ratio": "removed", "layers": "removed", "keep": "kept"},
    aliases=("structured pruning", "filter pruning", "channel pruning"),
)
