"""The config of binarisation: round trips, defaults, and what contradicts itself."""

import pytest
import yaml
from pydantic import ValidationError

from tflite_squeeze.command_line.config_options import config_of
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.binarization.config import Binarize, LayerQuantizers


def test_round_trips() -> None:
    for config in (
        Binarize(weights="ternary", inputs="float", scale="trained", threshold=0.1),
        Binarize(
            layers={"conv_*": LayerQuantizers(input="none", kernel="ste_tern")},
            stages="two-stage",
            only=("Dense",),
        ),
    ):
        assert Binarize.model_validate_json(config.model_dump_json()) == config
        assert Binarize(**yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


def test_thresholds_of_the_papers() -> None:
    assert Binarize(weights="ternary", inputs="float").cut == 0.7
    assert Binarize(weights="ternary", inputs="float", scale="trained").cut == 0.05
    assert Binarize(weights="ternary", inputs="float", threshold=0.3).cut == 0.3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inputs": "float", "optimizer": "bop"}, "optimizer is for Larq's layers"),
        ({"inputs": "float", "stages": "gradual", "bits": 3}, "bits, stages is for Larq"),
        ({"scale": "trained"}, "scale is for float inputs"),
        ({"inputs": "float", "threshold": 0.5}, "binary weights have no threshold"),
        ({"optimizer": "bop", "stages": "two-stage"}, "bop flips binary weights"),
        ({"weights": "quaternary"}, "'binary' or 'ternary'"),
    ],
)
def test_contradictions(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Binarize(**values)
    with pytest.raises(UsageError, match=message):
        config_of(Binarize, **values)


def test_quantizers_of_a_layer() -> None:
    layers = {
        "conv_*": LayerQuantizers(input="none"),
        "conv_2": LayerQuantizers(kernel="magnitude_aware_sign"),
    }
    config = Binarize(layers=layers, input_quantizer="approx_sign")
    assert config.quantizers_of([]) == ("approx_sign", "ste_sign")
    assert config.quantizers_of(["conv_*", "conv_2"]) == ("none", "magnitude_aware_sign")
    assert Binarize(weights="ternary").quantizers_of([]) == ("ste_sign", "ste_tern")
