from tests.techniques.rounding.record import RoundRecord
from tflite_squeeze.tables.table import Table


def round_tables(record: RoundRecord) -> list[Table]:
    rows = tuple(record.values.items())
    return [Table(title="Rounded", columns=("weight", "values"), rows=rows)]
