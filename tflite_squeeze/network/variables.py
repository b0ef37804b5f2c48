"""What training needs of a Keras of either version: constraints, strategies, callbacks, shapes."""

import sys
from typing import Any

import tensorflow as tf

from tflite_squeeze.network.flavors import Flavor, flavor_of, input_specs, input_structure, keras_of


def constraint_of(variable: Any) -> Any:
    """The constraint that a Keras variable of either version has, or None."""
    return variable.constraint


def constrain(variable: Any, constraint: Any) -> None:
    """Sets the constraint of a Keras variable of either version; None takes it away."""
    if hasattr(type(variable), "constraint") and _is_keras3(variable):
        variable.constraint = constraint
        return
    # tf_keras reads the property; behind it is the attribute of TensorFlow's variable. In mixed
    # precision that one is inside another, and a distributed one reads its first component's.
    inner = vars(variable).get("_variable", variable)
    for component in getattr(inner, "values", None) or (inner,):
        component._constraint = constraint


def _is_keras3(variable: Any) -> bool:
    keras = sys.modules.get(Flavor.KERAS.value)
    return keras is not None and isinstance(variable, keras.Variable)


def strategy_of(variable: Any) -> Any:
    """The `tf.distribute` strategy that a Keras variable was made under."""
    inner = variable.value if _is_keras3(variable) else variable
    strategy = getattr(inner, "distribute_strategy", None)
    return strategy if strategy is not None else tf.distribute.get_strategy()


def callback_class() -> type:
    """A base class that both versions of Keras take for a callback of theirs."""
    first = keras_of(Flavor.KERAS).callbacks.Callback
    second = keras_of(Flavor.TF_KERAS).callbacks.Callback
    return type("Callback", (first, second), {"_supports_tf_logs": True, "async_safe": True})


def student_of(model: Any) -> Any:
    """The model whose weights are to change: of a `Distiller` its student, else the model."""
    student = getattr(model, "student", None)
    return model if flavor_of(student) is None else student


def retrace(model: Any) -> None:
    """Makes a model trace its training step anew, with the constraints that hold now."""
    model.make_train_function(force=True)


def steps_per_execution(model: Any) -> int:
    """How many training steps a model runs between two looks of a callback."""
    count = getattr(model, "steps_per_execution", None)
    if count is None:  # tf_keras keeps a variable
        count = getattr(model, "_steps_per_execution", None)
    return 1 if count is None else int(tf.convert_to_tensor(count))


def steps_done(model: Any) -> int:
    """How many steps a model's optimiser has made since it was new."""
    return int(tf.convert_to_tensor(raw_variable(model.optimizer.iterations)))


def raw_variable(variable: Any) -> Any:
    """The TensorFlow variable behind a Keras variable of either version."""
    return variable.value if _is_keras3(variable) else variable


def output_shape(model: Any) -> Any:
    """The shapes of a model's outputs, open batch axis first: one, a list or a dict.

    Raises:
        InputError: the model was never called, so its shapes are not known.
    """
    try:
        return model.output_shape
    except AttributeError:  # subclassed: only a call can tell
        pass
    examples = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 1 for size in spec.shape], spec.dtype),
        input_structure(model),
    )
    outputs = model(examples, training=False)
    shapes = tf.nest.map_structure(lambda tensor: (None, *tensor.shape[1:]), outputs)
    return list(shapes) if isinstance(outputs, tuple) else shapes


def open_batch(model: Any) -> Any:
    """Shapes of a model's inputs with an open batch axis."""
    shapes = [(None, *spec.shape[1:]) for spec in input_specs(model).values()]
    return shapes[0] if len(shapes) == 1 else shapes
