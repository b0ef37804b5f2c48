from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.inspection.record import Advice, AdviceKind, InspectRecord, LayerRecord
from tflite_squeeze.inspection.tables import inspect_tables
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.graph import WeightRecord, file_operators
from tflite_squeeze.tflite.size import size_ledger


def _record(**fields) -> InspectRecord:
    defaults = {
        "name": "tiny", "path": None, "kind": "tflite", "sha256": "0" * 64, "parameters": 8,
        "zeros": 2, "weights_bytes": 32, "macs": 6, "unknown_macs": (), "advice": (),
    }  # fmt: skip
    return InspectRecord(**{**defaults, **fields})


def test_the_operators_of_a_file() -> None:
    operators = file_operators(read_model(dense_file()))
    record = _record(operators=operators, size=size_ledger(dense_file()), not_measured="too slow")
    listing, size, _, advice = inspect_tables(record)
    assert listing.title == "Operators of tiny"
    assert listing.rows == ((0, "FULLY_CONNECTED", "1x3", "1x2", 8, 6, 32, 2, 4, "float32"),)
    assert size.title == "Size"
    assert advice.notes == ("nothing to improve was found", "not measured: too slow")


def test_open_and_unknown_shapes_are_shown_as_such() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2), signature=(-1, 2)), maker.tensor("y", ())
    maker.operator("FlexErf", [x], [y], custom=True)
    listing, *_ = inspect_tables(_record(operators=file_operators(maker.model([x], [y]))))
    assert listing.rows[0][2:6] == ("?x2", "scalar", None, "unknown")


def test_weights_of_another_type_than_the_output_are_shown() -> None:
    operators = file_operators(read_model(dense_file()))
    weights = (operators[0].weights[0].model_copy(update={"dtype": "int4"}),)
    hybrid = operators[0].model_copy(update={"weights": weights})
    listing, *_ = inspect_tables(_record(operators=(hybrid,)))
    assert listing.rows[0][-1] == "float32 x int4"


def test_the_layers_of_a_model() -> None:
    kernel = WeightRecord(
        name="kernel", shape=(3, 2), dtype="float32", stored_bytes=24, zeros=1, distinct=5
    )
    layers = (
        LayerRecord(
            name="flatten", kind="Flatten", output=(-1, 3), parameters=0, weights_bytes=0, macs=0,
            weights=(),
        ),
        LayerRecord(
            name="odd", kind="Odd", output=None, parameters=6, weights_bytes=24, macs=None,
            weights=(kernel,),
        ),
    )  # fmt: skip
    record = _record(kind="keras", layers=layers, unknown_macs=("Odd odd",))
    listing, advice = inspect_tables(record)
    assert listing.rows == (
        ("flatten", "Flatten", "?x3", None, None, None, None, None, None),
        ("odd", "Odd", "unknown", 6, "unknown", 24, 1, 5, "float32"),
    )
    assert "multiply-accumulates not known of: Odd odd" in listing.notes
    assert advice.notes == ("nothing to improve was found",)


def test_advice_is_listed_with_the_time_of_a_run() -> None:
    one = Advice(kind=AdviceKind.NOT_DELEGATED, text="SOFTMAX stays", where=("SOFTMAX 0:1",))
    *_, advice = inspect_tables(_record(advice=(one,), run_us=12.5))
    assert advice.rows == (("not delegated", "SOFTMAX stays"),)
    assert advice.notes == ("one run takes 12.5 µs on this machine (1 thread)",)


def test_every_weight_is_listed_on_demand() -> None:
    record = _record(operators=file_operators(read_model(dense_file())))
    _, weights, _ = inspect_tables(record, weights=True)
    assert weights.title == "Weights"
    assert weights.rows == (
        ("FULLY_CONNECTED 0:0", "w", "2x3", "float32", 24, 2, 4),
        ("FULLY_CONNECTED 0:0", "b", "2", "float32", 8, 0, 2),
    )
    assert [table.title for table in inspect_tables(record)] == ["Operators of tiny", "Advice"]
