"""The names that a model file may use: what both versions of Keras export, and what is registered.

A file names classes and functions by module and name, and Keras imports what it is told. Here is
the list of those that compute and do nothing else; `trust` refuses what is not on it.
"""

import inspect
import re
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from tflite_squeeze.network.flavors import Flavor, keras_of

# Public modules whose classes a configuration is made of, and those whose functions it names.
_CLASSES = (
    "", "layers", "layers.experimental", "layers.experimental.preprocessing", "models",
    "models.experimental", "initializers", "regularizers", "constraints", "losses", "metrics",
    "optimizers", "optimizers.experimental", "optimizers.legacy", "optimizers.schedules",
    "mixed_precision", "dtype_policies", "quantizers", "random",
)  # fmt: skip
_FUNCTIONS = (
    "activations", "initializers", "regularizers", "constraints", "losses", "metrics", "ops",
    "ops.image", "ops.linalg", "ops.nn", "ops.numpy",
)  # fmt: skip
_LOOKUPS = ("get", "serialize", "deserialize")
# These bring code or models of their own from elsewhere.
_FOREIGN = ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")
# What tf_keras writes and does not export: graphs, operations on tensors, layers of TensorFlow 1.
_UNEXPORTED = {
    "engine.functional": ("Functional",),
    "engine.base_layer": ("AddLoss", "AddMetric", "TensorFlowOpLayer"),
    "layers.core.tf_op_layer": (
        "ClassMethod", "InstanceMethod", "InstanceProperty", "SlicingOpLambda", "TFOpLambda",
    ),
}  # fmt: skip
_BARE = (
    "BatchNormalizationV1", "BatchNormalizationV2", "CuDNNGRU", "CuDNNLSTM", "GRUCellV1",
    "GRUCellV2", "GRUV1", "GRUV2", "LSTMCellV1", "LSTMCellV2", "LSTMV1", "LSTMV2",
    "Functional", "Model", "Sequential",
    # of TensorFlow Model Optimization: the stand-in for its wrapper builds none of them
    "ConstantSparsity", "PolynomialDecay",
)  # fmt: skip
_FUNCTION_ALIASES = (
    "acc", "accuracy", "ce", "crossentropy", "gaussian", "glorot_normal", "glorot_uniform",
    "identity", "laplacian",
    "leaky_relu", "log_softmax", "relu6", "silu", "swish",
)  # fmt: skip

# Operations of TensorFlow that TFOpLambda may call: they compute numbers from numbers.
_OPERATION_MODULES = ("bitwise", "image", "linalg", "math", "nn", "random", "signal")
_ARRAY_OPERATIONS = frozenset({
    "argsort", "batch_to_space", "boolean_mask", "broadcast_dynamic_shape",
    "broadcast_static_shape", "broadcast_to", "cast", "clip_by_global_norm", "clip_by_norm",
    "clip_by_value", "concat", "constant", "convert_to_tensor", "cumsum", "dynamic_partition",
    "dynamic_stitch", "edit_distance", "einsum", "ensure_shape", "expand_dims",
    "extract_volume_patches", "eye", "fill", "gather", "gather_nd", "guarantee_const",
    "histogram_fixed_width", "identity", "identity_n", "linspace", "meshgrid", "norm", "one_hot",
    "ones", "ones_like", "pad", "parallel_stack", "range", "rank", "realdiv", "repeat", "reshape",
    "reverse", "reverse_sequence", "roll", "scatter_nd", "searchsorted", "sequence_mask", "shape",
    "shape_n", "size", "slice", "sort", "space_to_batch", "space_to_batch_nd", "batch_to_space_nd",
    "split", "squeeze", "stack", "stop_gradient", "strided_slice", "tensor_scatter_nd_add",
    "tensor_scatter_nd_max", "tensor_scatter_nd_min", "tensor_scatter_nd_sub",
    "tensor_scatter_nd_update", "tensordot", "tile", "transpose", "truncatediv", "truncatemod",
    "unique", "unique_with_counts", "unravel_index", "unstack", "where", "zeros", "zeros_like",
    "div", "div_no_nan", "floor_div", "to_double", "to_float", "to_int32", "to_int64",
    "dtypes.cast", "dtypes.complex", "dtypes.saturate_cast",
    "quantization.fake_quant_with_min_max_args", "quantization.fake_quant_with_min_max_vars",
    "quantization.fake_quant_with_min_max_vars_per_channel",
    "quantization.quantize_and_dequantize_v2", "sparse.to_dense", "sparse.sparse_dense_matmul",
})  # fmt: skip
_BACKEND_OPERATIONS = frozenset({
    "abs", "all", "any", "argmax", "argmin", "batch_dot", "batch_flatten", "bias_add", "cast",
    "clip", "concatenate", "conv1d", "conv2d", "conv2d_transpose", "cos", "dot", "elu", "equal",
    "exp", "expand_dims", "flatten", "gather", "greater", "greater_equal", "hard_sigmoid",
    "l2_normalize", "less", "less_equal", "log", "max", "maximum", "mean", "min", "minimum",
    "not_equal", "ones_like", "permute_dimensions", "pool2d", "pow", "prod", "relu", "repeat",
    "repeat_elements", "reshape", "resize_images", "reverse", "round", "sigmoid", "sign", "sin",
    "softmax", "softplus", "softsign", "spatial_2d_padding", "sqrt", "square", "squeeze", "stack",
    "std", "sum", "tanh", "temporal_padding", "tile", "transpose", "var", "zeros_like",
})  # fmt: skip
_OPERATOR = re.compile(r"__operators__\.[a-z_]+")


@dataclass(frozen=True, kw_only=True)
class KnownNames:
    """What a Keras exports.

    Attributes:
        classes: (module, name) of each class; "keras" stands for the Keras in question.
        functions: the same of each function.
        bare: names of classes that files of old name alone.
        strings: names by which a configuration may name a function or a class's default object.
    """

    classes: frozenset[tuple[str, str]]
    functions: frozenset[tuple[str, str]]
    bare: frozenset[str]
    strings: frozenset[str]


@cache
def known_names(flavor: Flavor) -> KnownNames:
    """Lists what a Keras exports for use in configurations."""
    keras = keras_of(flavor)
    classes = set()
    for place in _CLASSES:
        classes |= _exported(keras, place, _is_configurable)
    if flavor is Flavor.TF_KERAS:
        for place, names in _UNEXPORTED.items():
            classes |= {(f"keras.src.{place}", name) for name in names}
    else:
        classes |= _operations(keras)
        classes.add(("keras.src.models.functional", "Functional"))
    classes = {pair for pair in classes if pair[1] not in _FOREIGN}
    functions = set()
    for place in _FUNCTIONS:
        functions |= _exported(keras, place, inspect.isfunction)
    functions = {pair for pair in functions if pair[1] not in _LOOKUPS}
    functions |= {("builtins", name) for _, name in functions}
    bare = {name for _, name in classes} | set(_BARE)
    bare |= {name for names in _UNEXPORTED.values() for name in names}
    strings = {name for _, name in functions} | bare | set(_FUNCTION_ALIASES)
    strings |= {_in_snake_case(name) for name in bare}
    return KnownNames(
        classes=frozenset(classes),
        functions=frozenset(functions),
        bare=frozenset(bare),
        strings=frozenset(strings),
    )


@cache
def known_operations() -> frozenset[str]:
    """The names of TensorFlow's operations that a TFOpLambda may call."""
    import tensorflow as tf

    found = _ARRAY_OPERATIONS | {f"keras.backend.{name}" for name in _BACKEND_OPERATIONS}
    for place in _OPERATION_MODULES:
        for name, function in vars(getattr(tf, place)).items():
            # decoders and encoders of files are not arithmetic
            if callable(function) and not name.startswith(("_", "decode", "encode")):
                found |= {f"{place}.{name}"}
    return found


def is_known_operation(name: object) -> bool:
    """Whether an operation of TensorFlow, by its exported name, computes and does nothing else.

    Example:
        >>> is_known_operation("math.abs"), is_known_operation("io.write_file")
        (True, False)
    """
    if not isinstance(name, str):
        return False
    plain = name.removeprefix("compat.v1.")
    if plain != name and "." not in plain and f"math.{plain}" in known_operations():
        return True
    return plain in known_operations() or _OPERATOR.fullmatch(plain) is not None


@cache
def tensor_attributes() -> frozenset[str]:
    """The public attributes of ragged and sparse tensors, which layers may stand for."""
    import tensorflow as tf

    kinds = (tf.RaggedTensor, tf.SparseTensor)
    return frozenset(name for kind in kinds for name in dir(kind) if not name.startswith("_"))


def registered(flavor: Flavor, name: object) -> bool:
    """Whether this process has registered a class or function by this name."""
    if not isinstance(name, str):
        return False
    return keras_of(flavor).saving.get_registered_object(name) is not None


def _is_configurable(value: object) -> bool:
    return inspect.isclass(value) and hasattr(value, "from_config")


def _exported(keras: ModuleType, place: str, wanted: Any) -> set[tuple[str, str]]:
    """(module, name) of what a public module holds: where it is exported and where it is made."""
    module: Any = keras
    for name in filter(None, place.split(".")):
        module = getattr(module, name, None)
    public = ".".join(filter(None, ["keras", place]))
    found = set()
    for name in dir(module) if module is not None else ():
        value = getattr(module, name, None)
        made_in = str(getattr(value, "__module__", ""))
        if wanted(value) and made_in.split(".")[0] == keras.__name__:
            found |= {
                (public, name),
                (plain_module(made_in), str(getattr(value, "__name__", name))),
            }
    return found


def _operations(keras: Any) -> set[tuple[str, str]]:
    """The operations that Keras 3 writes into graphs as if they were layers."""
    modules = [value for value in vars(keras.src.ops).values() if inspect.ismodule(value)]
    return {
        (value.__module__, value.__name__)
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, keras.Operation)
        and value.__module__.startswith("keras.src.ops.")
    }


def plain_module(module: str) -> str:
    """A module's name with "keras" for either Keras."""
    return "keras" + module.removeprefix("tf_keras") if module.startswith("tf_keras") else module


def _in_snake_case(name: str) -> str:
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
