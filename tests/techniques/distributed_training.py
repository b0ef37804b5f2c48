"""Prunes, shares and distils under a strategy, in a process of its own; prints JSON.

Usage: distributed_training.py mirrored|workers FLAVOR...
"""

import importlib
import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf


def strategy(kind: str) -> tf.distribute.Strategy:
    """Two logical CPUs, or as many processes as TF_CONFIG names."""
    if kind == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def callbacks() -> list[Any]:
    """Pruning, pruning with growth, sharing, and sharing with weights that are assigned anew."""
    from tflite_squeeze.techniques.pruning.callback import PruningCallback
    from tflite_squeeze.techniques.pruning.config import Prune
    from tflite_squeeze.techniques.pruning.schedules import Polynomial
    from tflite_squeeze.techniques.sharing.callback import ClusteringCallback
    from tflite_squeeze.techniques.sharing.config import Cluster

    return [
        PruningCallback(
            Prune(sparsity=0.75, budget="uniform", schedule=Polynomial(end=10, frequency=2))
        ),
        PruningCallback(
            Prune(
                sparsity=0.75,
                budget="uniform",
                schedule=Polynomial(end=10, frequency=5),
                grow=True,
            )
        ),
        ClusteringCallback(Cluster(clusters=4)),
        ClusteringCallback(Cluster(clusters=4, reassign=3)),
    ]


def network(library: Any, units: int) -> Any:
    """A small classifier."""
    return library.Sequential(
        [
            library.Input((8,)),
            library.layers.Dense(units, activation="relu"),
            library.layers.Dense(3, activation="softmax"),
        ]
    )


def trained(library: Any, scope: tf.distribute.Strategy, callback: Any) -> dict[str, Any]:
    """Trains a small model; reports its history, and zeros and values of each replica."""
    library.utils.set_random_seed(7)
    with scope.scope():
        model = network(library, 16)
        model.compile("adam", "sparse_categorical_crossentropy")
    return fitted(model, model, [callback])


def distilled(library: Any, scope: tf.distribute.Strategy) -> dict[str, Any]:
    """The same of a student that a larger network teaches."""
    from tflite_squeeze.training.config import Distill
    from tflite_squeeze.training.teaching.distiller import Distiller

    library.utils.set_random_seed(7)
    with scope.scope():
        teacher, student = network(library, 32), network(library, 16)
        distiller = Distiller(student, teacher, Distill())
        distiller.compile("adam", "sparse_categorical_crossentropy")
    return fitted(distiller, student, [])


def fitted(trained: Any, model: Any, callbacks: list[Any]) -> dict[str, Any]:
    """Fits, and reports on the first layer of the model."""
    from tflite_squeeze.network.variables import raw_variable

    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, (x[:, 0] > 0).astype(np.int64))).batch(8)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    history = trained.fit(
        data.with_options(options), epochs=2, callbacks=callbacks, verbose=0, shuffle=False
    )
    kernel = raw_variable(model.layers[-2].kernel)
    replicas = [np.asarray(part) for part in getattr(kernel, "values", [kernel])]
    return {
        "history": history.history,
        "zeros": [int(np.sum(replica == 0)) for replica in replicas],
        "values": [len(np.unique(replica)) for replica in replicas],
        "alike": all(np.array_equal(replica, replicas[0]) for replica in replicas),
        "sum": float(replicas[0].sum()),
    }


def main() -> None:
    """Runs all of them, in each Keras that is named."""
    kind, *names = sys.argv[1:]
    scope = strategy(kind)  # before anything else starts TensorFlow
    results = []
    for library in map(importlib.import_module, names):
        results += [trained(library, scope, callback) for callback in callbacks()]
        results.append(distilled(library, scope))
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
