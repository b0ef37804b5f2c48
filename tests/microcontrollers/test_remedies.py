from tests.tiny_files import FileMaker
from tflite_squeeze.microcontrollers.remedies import operator_places, places_text


def test_operators_are_told_by_name_count_and_place() -> None:
    maker = FileMaker()
    a, b, c, d = (maker.tensor(name, (1,)) for name in "abcd")
    maker.operator("RELU", [a], [b])
    maker.operator("NEG", [b], [c])
    maker.operator("RELU", [c], [d])
    model = maker.model([a], [d])
    places = operator_places(model, lambda _graph, _operator, name: name == "RELU")
    assert places == {"RELU": ["0:0", "0:2"]}
    assert places_text(places) == "RELU (2x: 0:0, 0:2)"
    assert places_text({"X": ["0:1", "0:2", "0:3"]}) == "X (3x: 0:1, 0:2 and 1 more)"
