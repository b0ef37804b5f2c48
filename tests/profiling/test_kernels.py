"""Which operator of a file the time of a kernel belongs to."""

import json
from typing import Any

import pytest

from tests.profiling.profile_records import operator_time, operator_times, profile_record
from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.profiling.kernels import times_by_operator
from tflite_squeeze.profiling.node_data import node_data
from tflite_squeeze.profiling.record import OperatorTime, OperatorTimes
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.graph import OperatorRecord, file_operators


def _graph(*names: str, subgraph: int = 0) -> list[OperatorRecord]:
    return [
        OperatorRecord(
            subgraph=subgraph, index=at, name=name, version=1, inputs=(), outputs=(), dtype="int8",
            parameters=0, weights_bytes=0, macs=None, binary_macs=0, weights=(),
        )
        for at, name in enumerate(names)
    ]  # fmt: skip


def _kernel(name: str, us: float, **changes: Any) -> OperatorTime:
    return operator_time(name, us / 1000).model_copy(update=changes)


def _own(name: str, us: float, index: int) -> OperatorTime:
    return _kernel(name, us, delegated=False, index=index)


def test_kernels_belong_to_operators_of_their_kind_in_order() -> None:
    times = operator_times(
        _kernel("Convert (NC)", 1), _kernel("Convolution (NHWC, QC8) IGEMM", 2),
        _kernel("Convolution (NHWC, QC8) DWConv", 3), _kernel("Add (ND)", 4),
        _kernel("Clamp (NC)", 5), _own("AVERAGE_POOL_2D", 6, 4),
        _kernel("Fully Connected (NC, QS8, QC8W) GEMM", 7),
    )  # fmt: skip
    graph = _graph(
        "QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "AVERAGE_POOL_2D", "FULLY_CONNECTED"
    )
    found = times_by_operator(times, graph)
    # The end of the activation that is fused with the addition counts with it.
    assert found.us == pytest.approx(
        {(0, 0): 1, (0, 1): 2, (0, 2): 3, (0, 3): 9, (0, 4): 6, (0, 5): 7}
    )
    assert found.helpers == ("Clamp (NC)",)
    assert found.lost == ()


def test_convolutions_of_1x1_run_as_matrix_multiplications() -> None:
    times = operator_times(
        _kernel("Convolution (NHWC, F32) IGEMM", 1), _kernel("Convolution (NHWC, F32) DWConv", 2),
        _kernel("Fully Connected (NC, F32) GEMM", 3), _kernel("Convolution (NHWC, F32) DWConv", 4),
        _kernel("Fully Connected (NC, F32) GEMM", 5), _kernel("Static Reshape (NC)", 6),
        _kernel("Fully Connected (NC, F32) GEMM", 7),
    )  # fmt: skip
    graph = _graph("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D",
                   "FULLY_CONNECTED")  # fmt: skip
    found = times_by_operator(times, graph)
    assert [found.us[0, at] for at in range(6)] == pytest.approx([1, 2, 3, 4, 11, 7])


def test_the_conversion_of_an_input_belongs_to_the_operator_behind_it() -> None:
    times = operator_times(
        _kernel("Fully Connected (NC, F32)", 1), _kernel("Convert (NC)", 2),
        _kernel("Fully Connected (NC, QD8)", 3),
    )  # fmt: skip
    found = times_by_operator(times, _graph("FULLY_CONNECTED", "FULLY_CONNECTED"))
    assert found.us == pytest.approx({(0, 0): 1, (0, 1): 5})


def test_an_operator_that_is_a_part_of_another_has_no_time() -> None:
    times = operator_times(_kernel("Convolution (NHWC, F32)", 2))
    assert times_by_operator(times, _graph("PAD", "CONV_2D")).us == pytest.approx({(0, 1): 2})


def test_kernels_of_no_known_kind_are_told() -> None:
    found = times_by_operator(operator_times(_kernel("Wobble (NC)", 2)), _graph("CONV_2D"))
    assert found.us == {}
    assert found.lost == ("Wobble (NC)",)
    assert found.helpers == ()


def test_operators_outside_of_the_delegate_keep_their_own_time() -> None:
    times = operator_times(_own("ADD", 1, 0), _own("ADD", 2, 1))
    assert times_by_operator(times, _graph("ADD", "ADD")).us == pytest.approx(
        {(0, 0): 1, (0, 1): 2}
    )


def test_node_data_of_one_graph_are_those_of_the_graph_that_is_shown() -> None:
    record = profile_record(operator_times(_kernel("Fully Connected (NC, F32)", 2.5)))
    content, notes = node_data(dense_file(), record)
    data = json.loads(content)
    assert data["results"] == {"0": {"value": 2.5}}
    assert data["name"] == "µs per run"
    assert [one["stop"] for one in data["gradient"]] == [0, 1]
    assert notes == ()
    nothing = profile_record(operator_times(_own("FULLY_CONNECTED", 1, 1)))
    assert node_data(dense_file(), nothing)[1] == ("no time of their own: FULLY_CONNECTED 0:0",)


def test_node_data_of_several_graphs_are_by_their_names() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (4,)), maker.tensor("y", (4,))
    maker.operator("ABS", [x], [y])
    model = read_model(maker.file([x], [y]))
    model.subgraphs.append(read_model(maker.file([x], [y])).subgraphs[0])
    model.subgraphs[0].name, model.subgraphs[1].name = b"main", b"body"
    times = operator_times(_own("ABS", 1, 0), _kernel("Abs (NC)", 2, subgraph=1),
                           _kernel("Wobble (NC)", 2, subgraph=1))  # fmt: skip
    content, notes = node_data(pack_model(model), profile_record(times))
    data = json.loads(content)
    assert {name: graph["results"] for name, graph in data.items()} == {
        "main": {"0": {"value": 1}}, "body": {"0": {"value": 4}}
    }  # fmt: skip
    assert notes == ("1 helpers count with a neighbour (Wobble (NC))",)
    assert len(file_operators(model)) == 2


def test_without_times_there_are_no_node_data() -> None:
    record = profile_record(OperatorTimes(unavailable="the runtime crashed"))
    with pytest.raises(RuntimeFailure, match=r"unavailable \(the runtime crashed\): leave it out"):
        node_data(dense_file(), record)
