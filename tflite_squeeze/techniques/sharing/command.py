"""`tflite-squeeze cluster`: a Keras model in, the same model with shared values out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_of, config_options, given
from tflite_squeeze.errors import CheckFailed

if TYPE_CHECKING:
    from tflite_squeeze.techniques.sharing.config import Cluster
    from tflite_squeeze.techniques.sharing.record import ClusterRecord

CLUSTER = "tflite_squeeze.techniques.sharing.config:Cluster"


@compressing(
    "cluster models/lenet_300_100.keras -o shared.keras "
    "--data fashion-mnist --clusters 16 --epochs 3",
    config_options(
        CLUSTER,
        "clusters", "bits", "error", "init", "per", "layers", "only", "protect",
        "reassign",
        reassign={"metavar": "STEPS"},
    ),
)  # fmt: skip
def cluster_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Cluster the weights: each kernel shares a few values, which are trained.

    Zeros of pruned weights stay zeros and are not counted. With labelled data the values are
    trained; without, or with --epochs 0, weights are clustered at once. Exits 1 when a kernel
    ends with more values than were requested. Without --clusters, --bits and --error, --max-drop
    chooses the number of values: the fewest that cost no more in any tensor alone.
    """
    compress(
        ctx, model, output, options,
        doing="Sharing values in",
        verb="tflite_squeeze.techniques.sharing.cluster:cluster",
        in_file="tflite_squeeze.conversion.in_file:in_file",
        config=lambda: _config(options),
        closing=lambda record: _conclusion(record),
    )  # fmt: skip


def _config(options: dict[str, Any]) -> "Cluster":
    how_many = any(given(name) for name in ("clusters", "bits", "error"))
    most = options["max_drop"] if given("max_drop") and not how_many else None
    from tflite_squeeze.techniques.sharing.config import Cluster

    return config_of(Cluster, max_drop=most, seed=options["seed"])


def _conclusion(record: "ClusterRecord") -> str:
    if not record.reached:
        names = ", ".join(weight.name for weight in record.weights if not weight.reached)
        raise CheckFailed(
            f"it has more values than were asked for, or lost zeros, in {names}: report this"
        )
    most = max(weight.distinct_after for weight in record.weights)
    return f"at most {most} values besides zero in {len(record.weights)} weights"
