"""Training a binary network of Larq's layers: stages, optimisers, what is logged."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network import flavors
from tflite_squeeze.network.crossing import compile_across, copy_weights, rebuilt
from tflite_squeeze.network.graph import Graph
from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.network.variables import callback_class
from tflite_squeeze.techniques.binarization.bit_size import packed_bytes, quantised_weights
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.larq_layers import Phase, with_larq_layers
from tflite_squeeze.training.step_run import StepRun


def flip_ratio(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The share of weights whose quantized value is another than before.

    Example:
        >>> flip_ratio(np.array([1, 1, -1, -1]), np.array([1, -1, -1, -1]))
        0.25
    """
    return float(np.mean(before != after)) if before.size else 0.0


class _FlipRatio:
    """Writes `flip_ratio/<layer>/<kernel>` and `packed_bytes` into the logs of every epoch."""

    model: Any

    def on_train_begin(self, _logs: Any = None) -> None:
        """Remembers the signs as they are."""
        self._before = quantised_weights(self.model)

    def on_epoch_end(self, _epoch: int, logs: Any = None) -> None:
        """Compares them with what they are now."""
        after = quantised_weights(self.model)
        if logs is not None:
            for name, (values, _) in after.items():
                logs[f"flip_ratio/{name}"] = flip_ratio(self._before[name][0], values)
            logs["packed_bytes"] = float(packed_bytes(self.model))
        self._before = after


@cache
def _made_class() -> type:
    return type("FlipRatio", (_FlipRatio, callback_class()), {"__doc__": _FlipRatio.__doc__})


def flip_ratio_callback() -> Any:
    """A callback for `fit` of any model with Larq's layers: flips per layer, bytes of all weights.

    Example:
        >>> model.fit(x, y, callbacks=[flip_ratio_callback()]).history["packed_bytes"]
        [13506.0]
    """
    return _made_class()()


Phases = dict[str, Phase]


def stages_of(config: Binarize, names: tuple[str, ...], epochs: int) -> list[tuple[Phases, int]]:
    """What is binary in each stage of a training, and for how many epochs.

    Args:
        config: "joint" has one stage, "two-stage" one with binary inputs and float weights
            first, "gradual" one per layer, from the front.
        names: the binary nodes in the model's order.
        epochs: in all; a stage that gets none is left out, never the last.

    Example:
        >>> stages_of(Binarize(stages="two-stage"), ("a",), 5)
        [({'a': 'inputs'}, 2), ({'a': 'binary'}, 3)]
    """
    done: Phases = dict.fromkeys(names, "binary")
    if config.stages == "joint":
        return [(done, epochs)]
    if config.stages == "two-stage":
        first: Phases = dict.fromkeys(names, "inputs")
        plan = [(first, epochs // 2), (done, epochs - epochs // 2)]
    else:
        share = epochs // (len(names) + 1)
        plan = [
            ({name: "binary" if at <= last else "float" for at, name in enumerate(names)}, share)
            for last in range(len(names) - 1)
        ]
        plan.append((done, epochs - share * (len(names) - 1)))
    return [(phases, count) for phases, count in plan if count > 0]


def built(graph: Graph, config: Binarize, phases: Phases) -> Any:
    """A tf_keras model with Larq's layers, weights new."""
    changed, classes = with_larq_layers(graph, config, phases)
    return rebuilt(changed, classes)


def trained(
    original: Any,
    graph: Graph,
    config: Binarize,
    names: tuple[str, ...],
    run: StepRun,
    *,
    verbose: int = 0,
) -> Any:
    """Builds the binary network and trains it, stage by stage.

    Args:
        original: the model that was given, whose compile settings count.
        graph: the model in its new order.
        config: the configuration.
        names: the nodes that become binary.
        run: its data and training.
        verbose: as in `model.fit`.

    Returns:
        The model.
    """
    library = larq()
    epochs = (run.training and run.training.epochs) or 1
    weights = None
    for phases, count in stages_of(config, names, epochs):
        model = built(graph, config, phases)
        if weights is not None:
            model.set_weights(weights)
        elif config.initialize == "trained":
            copy_weights(graph, model)
        if config.optimizer == "bop":
            _to_signs(model, library)
        compile_across(original, model)
        run.train(
            model,
            [flip_ratio_callback()],
            epochs=count,
            optimizer=_optimizer(config, library),
            verbose=verbose,
        )
        weights = model.get_weights()
    return model


def _to_signs(model: Any, library: Any) -> None:
    """Bop knows no latent weights: what it flips is -1 or 1 from the beginning."""
    for variable in model.trainable_variables:
        if library.optimizers.Bop.is_binary_variable(variable):
            latent = latent_values(variable)
            assign = getattr(variable, "latent_variable", variable).assign
            assign(np.where(latent >= 0, 1, -1))


def latent_values(variable: Any) -> Any:
    """The real numbers behind a variable of Larq, which shows their signs."""
    return np.asarray(getattr(variable, "latent_variable", variable))


def _optimizer(config: Binarize, library: Any) -> Callable[[Any], Any] | None:
    """Bop for binary weights and Adam for all others, or None for what the training says."""
    if config.optimizer != "bop":
        return None
    keras = flavors.keras_of(flavors.Flavor.TF_KERAS)
    optimizers = library.optimizers

    def made(rate: Any) -> Any:
        bop = optimizers.Bop(threshold=config.bop_threshold, gamma=config.bop_gamma)
        return optimizers.CaseOptimizer(
            (optimizers.Bop.is_binary_variable, bop),
            default_optimizer=keras.optimizers.legacy.Adam(rate),
        )

    return made
