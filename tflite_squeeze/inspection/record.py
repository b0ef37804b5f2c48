"""What `inspect` finds inside a model or a file."""

from enum import StrEnum

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.graph import OperatorRecord, WeightRecord
from tflite_squeeze.tflite.size import SizeLedger


class AdviceKind(StrEnum):
    """The subject of a piece of advice."""

    INT8 = "int8"
    FEW_BITS = "4_bits"
    DEAD_CHANNELS = "dead_channels"
    DYNAMIC_BATCH = "dynamic_batch"
    UNFUSED_BATCH_NORMALIZATION = "unfused_batch_normalization"
    UNFUSED_ACTIVATION = "unfused_activation"
    FLOAT_ISLAND = "float_island"
    FLEX_OPERATORS = "flex_operators"
    TFLM_OPERATORS = "tflm_operators"
    CUSTOM_OPERATORS = "custom_operators"
    LEGACY_UINT8 = "legacy_uint8"
    PER_CHANNEL_OVERHEAD = "per_channel_overhead"
    SLOW_DYNAMIC = "slow_dynamic"
    NOT_DELEGATED = "not_delegated"
    CONTRADICTION = "contradiction"


class Advice(Frozen):
    """A piece of advice: the problem, its cost and the remedy.

    Attributes:
        kind: what it is about.
        text: one line with the cost and the remedy.
        where: the operators ("CONV_2D 0:3": subgraph 0, operator 3) or the layers.
        cost_bytes: bytes in the file, or moved in each run, as `text` says.
        cost_elements: numbers computed in each run, for a batch of 1 where it is open.
        cost_us: measured microseconds of each run.
    """

    kind: AdviceKind
    text: str
    where: tuple[str, ...]
    cost_bytes: int | None = None
    cost_elements: int | None = None
    cost_us: float | None = None


class LayerRecord(Frozen):
    """A layer of a Keras model.

    Attributes:
        name: its name; kind: its class.
        output: the shape of its output, -1 where it is open; None where unknown.
        parameters: how many numbers its variables hold.
        weights_bytes: their bytes, as the model holds them.
        macs: multiply-accumulates for one example; None where they are not known.
        weights: its variables, the largest first.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    parameters: int
    weights_bytes: int
    macs: int | None
    weights: tuple[WeightRecord, ...]


class InspectRecord(Displayed):
    """The contents of a model or a file.

    Attributes:
        name: the file's stem, or the model's name; path: the file, if there is one.
        kind: keras, tf_keras or tflite.
        sha256: of the file; for objects, of configuration and weights.
        layers: the layers of a Keras model.
        operators: the operators of a .tflite file.
        size: where the bytes of a .tflite file go.
        parameters: how many numbers the weights represent; zeros: how many of them are 0.
        weights_bytes: their bytes.
        macs: multiply-accumulates for one example, or one run of the first signature.
        binary_macs: those on single bits.
        unknown_macs: layers or operators whose count is unknown; `macs` leaves them out.
        advice: what could be better.
        run_us: the time of one run, where the file was measured.
        not_measured: why it was not measured; None where it was.
        plan: what the tensors of a .tflite file are quantized to, and, where it was asked for, what
            those of a Keras model would be in 8 bits.
        no_plan: why there is none for a .tflite file; None where there is one.
    """

    tables_by = ".tables:inspect_tables"

    name: str
    path: str | None
    kind: str
    sha256: str
    layers: tuple[LayerRecord, ...] = ()
    operators: tuple[OperatorRecord, ...] = ()
    size: SizeLedger | None = None
    parameters: int
    zeros: int
    weights_bytes: int
    macs: int
    binary_macs: int = 0
    unknown_macs: tuple[str, ...]
    advice: tuple[Advice, ...]
    run_us: float | None = None
    not_measured: str | None = None
    plan: QuantizationPlan | None = None
    no_plan: str | None = None
