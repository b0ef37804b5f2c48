"""What the config takes, and what it refuses."""

import pytest
from pydantic import ValidationError

from tflite_squeeze.command_line.config_options import config_of
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.low_rank.config import Factorize


def test_round_trip() -> None:
    config = Factorize(
        energy=0.9, ranks={"conv": (4, 8), "dense": 3}, schemes={"conv": "tucker"}, measure="int8"
    )
    assert Factorize.model_validate_json(config.model_dump_json()) == config
    assert config.rule == "energy"
    assert config.budget is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no rule for the ranks"),
        ({"rank": 3, "energy": 0.9}, "contradict each other"),
        ({"rank": 0}, "greater than or equal to 1"),
        ({"ranks": {"conv": (0, 3)}}, "begin at 1"),
        ({"max_error": 0.1, "data_aware": False}, "leave data_aware on"),
        ({"macs_ratio": 1.0}, "less than 1"),
    ],
)
def test_refusals(values: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Factorize(**values)
    with pytest.raises(UsageError, match=message):
        config_of(Factorize, **values)


def test_budgets() -> None:
    assert Factorize(macs_ratio=0.5).limit == ("macs", 0.5)
    assert Factorize(bytes_ratio=0.25).limit == ("bytes", 0.25)
    assert Factorize(budget="latency", keep=0.4).limit == ("latency", 0.4)
    assert Factorize(rank=1).limit is None
    with pytest.raises(ValidationError, match="contradict"):
        Factorize(budget="macs", keep=0.5, macs_ratio=0.5)
    with pytest.raises(ValidationError, match="go together"):
        Factorize(budget="macs")
