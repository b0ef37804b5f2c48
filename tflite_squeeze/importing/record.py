"""What came of an import."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed


class ImportedEndpoint(Frozen):
    """An input or an output, in the file and in the Keras model.

    Attributes:
        onnx_name: in the file.
        onnx_shape: there, at batch 1.
        name: in the Keras model.
        shape: there, without the batch.
        layout: "channels_last" where the axes are in another order than in the file, else "as is".
    """

    onnx_name: str
    onnx_shape: tuple[int, ...]
    name: str
    shape: tuple[int, ...]
    layout: str


class ImportRecord(Displayed):
    """How well a Keras model agrees with the file that it was made from.

    Attributes:
        source: the file.
        opset: of its operators.
        operators: how many it has.
        layers: how many the Keras model has of each kind.
        parameters: how many numbers its weights are.
        largest_difference: of any output, relative to the output's largest value.
        batches: the batch sizes that were compared.
        evaluator: what computed the file.
        inputs: in order.
        outputs: in order.
    """

    tables_by = ".tables:import_tables"

    source: str
    opset: int
    operators: int
    layers: dict[str, int]
    parameters: int
    largest_difference: float
    batches: tuple[int, ...]
    evaluator: str
    inputs: tuple[ImportedEndpoint, ...]
    outputs: tuple[ImportedEndpoint, ...]
