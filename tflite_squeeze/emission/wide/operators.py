"""The operators that LiteRT runs with activations of 16 bits, found by running each.

It has none for DEPTH_TO_SPACE, HARD_SWISH, L2_NORMALIZATION, LOG_SOFTMAX, PRELU, SPACE_TO_DEPTH,
SQUARED_DIFFERENCE, the fused LSTM and others. GELU and EXP interpolate between 513 values, and are
off by up to 45 steps of 16 bits; TANH and SOFTMAX by up to 4.
"""

# By operator, the first version that takes 16 bits.
VERSIONS = {
    "ABS": 3, "ADD": 3, "AVERAGE_POOL_2D": 3, "BATCH_MATMUL": 3, "BATCH_TO_SPACE_ND": 4,
    "BROADCAST_TO": 3, "CONCATENATION": 3, "CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "EXP": 2,
    "EXPAND_DIMS": 1, "FULLY_CONNECTED": 7, "GATHER": 4, "GELU": 2, "LEAKY_RELU": 2,
    "LOGISTIC": 3, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4, "MIRROR_PAD": 3,
    "MUL": 4, "PACK": 3, "PAD": 3, "PADV2": 3, "REDUCE_MAX": 3, "REDUCE_MIN": 3, "RELU": 3,
    "RELU6": 3, "RESHAPE": 1, "RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4, "REVERSE_V2": 3,
    "SLICE": 4, "SOFTMAX": 3, "SPACE_TO_BATCH_ND": 4, "SPLIT": 4, "SQUEEZE": 1, "STRIDED_SLICE": 4,
    "SUB": 5, "SUM": 2, "TANH": 3, "TILE": 3, "TRANSPOSE": 5, "TRANSPOSE_CONV": 3, "UNPACK": 4,
}  # fmt: skip
# That of a QUANTIZE from or to 16 bits.
QUANTIZE = 2
# Which inputs stay in 8 bits, and which one is a bias.
WEIGHTS = {
    "CONV_2D": (1,), "DEPTHWISE_CONV_2D": (1,), "FULLY_CONNECTED": (1,), "TRANSPOSE_CONV": (1,),
}  # fmt: skip
BIASES = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
# The kernels of these fix the step of what they put out.
FIXED_STEPS = frozenset({"LOGISTIC", "SOFTMAX", "TANH"})
FIXED_STEP = 1 / 32768
