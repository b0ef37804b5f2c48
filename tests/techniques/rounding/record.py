from tests.techniques.rounding.config import Round
from tflite_squeeze.training.record import StepRecord


class RoundRecord(StepRecord):
    """How many values each weight has."""

    tables_by = ".tables:round_tables"

    config: Round
    values: dict[str, int]
