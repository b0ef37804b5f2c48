"""Weight clustering: the weights of a kernel share a few values.

Each kernel keeps K values c_1 … c_K (centroids), and each weight is the nearest of them, a(i):

    min Σ_i (w_i - c_a(i))²

In one dimension the optimum is found exactly. While a model trains, each centroid is the mean of
the weights that share it: a projection, set as the constraint of the Keras variable. Zeros of a
pruned kernel stay zero and are not counted.

Reference: Han et al. 2016, arXiv:1510.00149, section 3.

Files:
    config.py: `Cluster`, its configuration.
    cluster.py: the verb `cluster`.
    callback.py: `ClusteringCallback`, for your own `model.fit`.
    centroids.py: one-dimensional k-means, as array functions.
    projection.py: weights → the means of those that share with them.
    plan.py: how many values each kernel gets, and which kernels would not gain.
    sharing.py: the shared values of a whole model.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze cluster`.

It pays in the download (gzip, and more so `pack`) and in the flash of Arm's Ethos-U, whose compiler
stores few values in few bits. It makes neither the raw file smaller nor a run faster: TFLite has no
look-up tables.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="cluster",
    summary="Cluster the weights: each kernel shares a few values, which are trained.",
    package=__name__,
    config=".config:Cluster",
    verb=".cluster:cluster",
    callback=".callback:ClusteringCallback",
    record=".record:ClusterRecord",
    claims=".claims:claimed",
    command=".command:cluster_command",
    makes=("shared values",),
    elementwise=True,
    undoes={"integers": "means of weights are not on their grid"},
    softer={
        "clusters": "count",
        "bits": "bits",
        "error": "price",
        "max_drop": "price",
        "layers": "count",
    },
    aliases=("weight clustering", "parameter sharing", "weight sharing"),
)
