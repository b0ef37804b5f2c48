"""What clustering may be asked for."""

import pytest
import yaml
from pydantic import ValidationError

from tflite_squeeze.command_line.config_options import config_of
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.sharing.config import Cluster


@pytest.mark.parametrize(
    "config",
    [
        Cluster(clusters=16),
        Cluster(bits=4, init="kmeans++", per="channel", reassign=50, seed=3),
        Cluster(error=0.1, only=("conv_*",), protect=("last",), begin=100),
        Cluster(max_drop=0.005, layers={"Dense": 8}),
    ],
    ids=str,
)
def test_it_survives_json_and_yaml(config: Cluster) -> None:
    assert Cluster.model_validate_json(config.model_dump_json()) == config
    assert Cluster(**yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the number of shared values is not given"),
        ({"clusters": 16, "bits": 4}, "clusters and bits contradict each other"),
        ({"clusters": 1}, "greater than or equal to 2"),
        ({"clusters": 257}, "less than or equal to 256"),
        ({"bits": 9}, "less than or equal to 8"),
        ({"error": 1.0}, "less than 1"),
        ({"clusters": 16, "layers": {"Dense": 1}}, "greater than or equal to 2"),
        ({"clusters": 16, "init": "best"}, "Input should be 'optimal'"),
        ({"clusters": 16, "reassign": -1}, "greater than or equal to 0"),
    ],
    ids=str,
)
def test_what_it_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Cluster(**options)


def test_bits_are_a_power() -> None:
    assert [Cluster(bits=bits).most for bits in (1, 4, 8)] == [2, 16, 256]


def test_one_line_for_the_command() -> None:
    with pytest.raises(UsageError, match=r"^clusters is 1: Input should be greater"):
        config_of(Cluster, clusters=1, bits=None)
