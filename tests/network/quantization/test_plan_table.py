"""Plans as tables: all that is quantized, cut where there is too much of it."""

from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.network.quantization.plan_table import plan_table

PLAN = QuantizationPlan(
    weights={
        "conv": WeightQuantization(axis=0, scale=(0.5, 0.25, 0.5)),
        "dense": WeightQuantization(bits=4, scale=(0.5,)),
        "old": WeightQuantization(scale=(0.5,), zero_point=120),
        "unknown": WeightQuantization(bits=2, axis=0),
        "real": WeightQuantization(bits=None),
    },
    activations={
        "x": ActivationQuantization(low=-1, high=1.55),
        "y": ActivationQuantization(bits=16),
        "z": ActivationQuantization(bits=None),
    },
)


def test_every_tensor_that_is_quantized() -> None:
    table = plan_table(PLAN)
    assert table.rows == (
        ("conv", "weights", 8, "3 (axis 0)", "0.25 to 0.5", None, None),
        ("dense", "weights", 4, "per tensor", "0.5", -3.5, 3.5),
        ("old", "weights", 8, "per tensor", "0.5", -60.0, 67.5),
        ("unknown", "weights", 2, "per channel (axis 0)", "from the weights", None, None),
        ("x", "activations", 8, "per tensor", "0.01", -1.0, 1.55),
        ("y", "activations", 16, "per tensor", "not calibrated", None, None),
    )
    assert table.notes == (
        "weights: 1 in 2 bits, 1 in 4 bits, 2 in 8 bits, 1 in float (real)",
        "activations: 1 in 8 bits, 1 in 16 bits, 1 in float (z)",
    )


def test_of_too_many_the_first_of_both_kinds_are_shown() -> None:
    table = plan_table(PLAN, most=4, see_all="ask for more")
    assert [row[0] for row in table.rows] == ["conv", "dense", "x", "y"]
    assert table.notes[-1] == "2 more tensors are quantized: ask for more"
    assert [row[0] for row in plan_table(PLAN, most=3).rows] == ["conv", "x", "y"]
    assert len(plan_table(PLAN, most=6).rows) == 6
    many = PLAN.model_copy(
        update={"activations": {str(at): PLAN.activations["x"] for at in range(9)}}
    )
    assert [row[0] for row in plan_table(many, most=4).rows] == ["conv", "dense", "0", "1"]


def test_nothing_quantized_is_two_lines() -> None:
    floats = QuantizationPlan(activations={"x": ActivationQuantization(bits=None)})
    table = plan_table(floats)
    assert (table.rows, table.notes) == ((), ("no weights", "activations: 1 in float"))
