"""The objective of training: a loss for each output, and labels as each loss takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.outputs import output_nodes
from tflite_squeeze.network.rewriting import compile_settings
from tflite_squeeze.network.variables import output_shape

# Keras's losses that compare numbers with as many numbers: class ids mean nothing to them.
_OF_ROWS = frozenset(
    {
        "categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge",
        "binarycrossentropy", "binaryfocalcrossentropy", "kldivergence",
        "kullbackleiblerdivergence", "meansquarederror", "mse", "meanabsoluteerror", "mae",
        "huber", "poisson", "cosinesimilarity",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What one output is trained for.

    Attributes:
        output: its name, or its key where the model puts out a dictionary.
        shape: of a batch, the batch axis open.
        loss: a Keras loss, its name, or a function of (labels, outputs); None where the output is
            not trained.
        function: the loss as a function of (labels, outputs); None without one.
        weight: of the loss in the sum over all outputs.
        own: whether the model was compiled with the loss.
    """

    output: str
    shape: tuple[int | None, ...]
    loss: Any
    function: Any
    weight: float = 1.0
    own: bool = True

    def labels(self, labels: Any) -> Any:
        """Labels as data holds them, in the form that the loss takes.

        Args:
            labels: a batch of them, or None.

        Returns:
            One-hot rows of class ids where the loss compares rows and the output has several
            scores; one number a row where the output has; all others as they are.
        """
        if labels is not None and self.shape[-1:] == (1,) and len(labels.shape) < len(self.shape):
            # Beside outputs of (N, 1), labels of (N,) would be broadcast to (N, N).
            return labels[..., None]
        if labels is None or loss_name(self.loss) not in _OF_ROWS or self.shape[-1] in (None, 1):
            return labels
        rank = len(labels.shape)
        if rank == len(self.shape) and labels.shape[-1] == 1:
            labels, rank = labels[..., 0], rank - 1
        if rank < len(self.shape):
            return tf.one_hot(tf.cast(labels, tf.int32), self.shape[-1])
        return labels


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is trained for.

    Attributes:
        goals: one for each output, in the order in which the outputs are flattened.
        structure: the model's outputs as it returns them: one, a list or a dictionary.
        classifies: whether the one output is a score per class, or the probability of one class.
            A model that was compiled with another loss than a cross-entropy does not classify.
    """

    goals: tuple[Goal, ...]
    structure: Any
    classifies: bool

    @property
    def own(self) -> bool:
        """Whether the model was compiled with a loss."""
        return any(goal.own for goal in self.goals)

    @property
    def losses(self) -> Any:
        """The losses in the structure of the outputs, as `compile` takes them."""
        return self._packed([goal.loss for goal in self.goals])

    @property
    def weights(self) -> Any:
        """The weights of the losses, likewise; None where all are 1."""
        if all(goal.weight == 1.0 for goal in self.goals):
            return None
        return self._packed([goal.weight for goal in self.goals])

    def of_soft_labels(self, keras: Any) -> "Objective":
        """The same objective for labels that are mixed: rows in the place of class ids.

        Args:
            keras: the model's version of Keras.

        Raises:
            UsageError: a loss takes class ids, and its equal for rows is not known.
        """
        goals = []
        for goal in self.goals:
            name = loss_name(goal.loss)
            if name == "sparsecategoricalcrossentropy":
                config = goal.loss.get_config() if hasattr(goal.loss, "get_config") else {}
                logits = bool(config.get("from_logits", False))
                soft = keras.losses.CategoricalCrossentropy(from_logits=logits)
                goal = replace(goal, loss=soft, function=soft)
            elif goal.loss is not None and name not in _OF_ROWS:
                raise UsageError(
                    f"augment 'mixup' mixes labels, and loss {name!r} of output {goal.output!r} is "
                    f"not known to take mixed ones: leave mixup out, or compile the model with "
                    f"another loss"
                )
            goals.append(goal)
        return replace(self, goals=tuple(goals))

    def _packed(self, values: Sequence[Any]) -> Any:
        if isinstance(self.structure, dict):
            return dict(zip((goal.output for goal in self.goals), values, strict=True))
        return list(values) if isinstance(self.structure, list) else values[0]

    def labels(self, labels: Any) -> Any:
        """Labels as data holds them, in the structure and the form that the losses take.

        Args:
            labels: one batch of them, a dictionary by output, or None.

        Returns:
            None for none; for a model that returns a list, a tuple, since tf.data makes one
            tensor of a list.

        Raises:
            InputError: an output that has a loss has no labels.
        """
        if labels is None:
            return None
        found = [
            goal.labels(part) for goal, part in zip(self.goals, self.split(labels), strict=True)
        ]
        packed = self._packed(found)
        return tuple(packed) if isinstance(packed, list) else packed

    def split(self, labels: Any) -> list[Any]:
        """Labels as data holds them, one part for each output.

        Raises:
            InputError: an output that has a loss has no labels.
        """
        names = [goal.output for goal in self.goals]
        if not isinstance(labels, Mapping):
            if len(self.goals) > 1:
                raise InputError(
                    f"the model has the outputs {', '.join(names)}, and the data has labels for "
                    f"one: give arrays such as y:{names[0]}"
                )
            return [labels]
        if len(self.goals) == len(labels) == 1:
            return list(labels.values())
        missing = [goal.output for goal in self.goals if goal.loss and goal.output not in labels]
        if missing:
            raise InputError(
                f"output {missing[0]!r} of the model is trained and has no labels, the data has "
                f"labels for {sorted(labels)}: give an array y:{missing[0]}"
            )
        some = next(iter(labels.values()))
        return [labels.get(name, tf.zeros(tf.shape(some)[:1])) for name in names]

    def loss(self, labels: Any, outputs: Any) -> Any:
        """The mean loss over a batch, a scalar: the weighted sum over all outputs.

        Args:
            labels: as data holds them.
            outputs: the model's answers, in its own structure.
        """
        total = tf.zeros([])
        parts = zip(self.goals, self.split(labels), self.flat(outputs), strict=True)
        for goal, part, output in parts:
            if goal.function is not None:
                value = tf.reduce_mean(goal.function(goal.labels(part), output))
                total += goal.weight * tf.cast(value, tf.float32)
        return total

    def flat(self, outputs: Any) -> list[Any]:
        """A model's answers in the order of the goals."""
        if isinstance(outputs, Mapping):
            return [outputs[goal.output] for goal in self.goals]
        return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def objective_of(model: Any) -> Objective:
    """What a model is trained for: as it was compiled, else as its outputs suggest.

    Args:
        model: a Keras model of either version.

    Returns:
        The objective. Where the model was compiled without a loss, an output of several classes
        gets the sparse cross-entropy, one probability the binary one, all others the mean
        squared error.
    """
    names, shapes, structure = _outputs_of(model)
    keras = flavors.keras_of(flavors.known_flavor(model))
    settings = compile_settings(model)
    given = _by_output(settings.get("loss"), names)
    weights = _by_output(settings.get("loss_weights"), names)
    endings = _endings(model)
    goals = []
    for at, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        loss = given[at]
        if settings.get("loss") is None:
            loss = _suggested(keras, endings[at], shape)
        goals.append(
            Goal(
                output=name,
                shape=shape,
                loss=loss,
                function=keras.losses.get(loss) if isinstance(loss, str) else loss,
                weight=1.0 if weights[at] is None else float(weights[at]),
                own=settings.get("loss") is not None,
            )
        )
    classes = len(goals) == 1 and _scores_classes(goals[0], endings[0])
    return Objective(goals=tuple(goals), structure=structure, classifies=classes)


def _scores_classes(goal: Goal, ending: str) -> bool:
    if goal.own and "crossentropy" not in loss_name(goal.loss):
        return False
    if goal.shape[-1] == 1:
        return ending == "sigmoid"
    return len(goal.shape) == 2


def loss_name(loss: Any) -> str:
    """The name of a loss, lower-case and joined; "" for None.

    Example:
        >>> loss_name("mean_squared_error")
        'meansquarederror'
    """
    if loss is None:
        return ""
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))
    return name.lower().replace("_", "")


def _endings(model: Any) -> list[str]:
    """What each output ends in: "softmax", "sigmoid", or anything else.

    Without a graph the last layer in the list speaks for all outputs.
    """
    nodes = output_nodes(model)
    if nodes is None:
        last = model.layers[-1]
        return [_ending(type(last).__name__, last)] * len(_outputs_of(model)[0])
    return [_ending(node.kind, node.source) for node in nodes]


def _ending(kind: str, source: Any) -> str:
    if kind in ("Softmax", "Sigmoid"):
        return kind.lower()
    return str(getattr(getattr(source, "activation", None), "__name__", ""))


def _suggested(keras: Any, activation: str, shape: Sequence[int | None]) -> Any:
    """A loss by what an output looks like."""
    if activation == "sigmoid" and shape[-1] == 1:
        return keras.losses.BinaryCrossentropy()
    if shape[-1] != 1 and len(shape) == 2:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")
    return keras.losses.MeanSquaredError()


def _outputs_of(model: Any) -> tuple[list[str], list[tuple[int | None, ...]], Any]:
    """Names and shapes of all outputs in one order, and their structure."""
    shapes = output_shape(model)
    if getattr(model, "outputs", None):  # Keras 3 tells shapes of a dictionary as a list
        symbolic = flavors.output_structure(model)
        if isinstance(symbolic, dict):
            shapes = {name: tuple(tensor.shape) for name, tensor in symbolic.items()}
    if isinstance(shapes, dict):
        names = sorted(shapes)
        return names, [tuple(shapes[name]) for name in names], dict.fromkeys(names)
    several = isinstance(shapes, list) or (shapes and isinstance(shapes[0], tuple | list))
    known = getattr(model, "output_names", None)
    if not several:
        return [known[0] if known else "output"], [tuple(shapes)], None
    names = list(known) if known else [f"output_{at}" for at in range(len(shapes))]
    return names, [tuple(shape) for shape in shapes], list(names)


def _by_output(setting: Any, names: Sequence[str]) -> list[Any]:
    """A setting of `compile` for each output: by name, in order, or one for all."""
    if isinstance(setting, Mapping):
        return [setting.get(name) for name in names]
    if isinstance(setting, list | tuple):
        return list(setting) if len(setting) == len(names) else [setting[0]] * len(names)
    return [setting] * len(names)
