"""What a conversion may be asked for."""

from typing import Any

import pytest
from pydantic import ValidationError

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization


@pytest.mark.parametrize(
    "config",
    [
        Convert(),
        Convert(quantize="int8", io_dtype="uint8", per_channel_dense=False),
        Convert(batch="dynamic", labels=("cat", "dög"), name="pets"),
        Convert(batch=8, input_shapes={"x": (8, 3)}, allow_select_ops=True),
    ],
)
def test_round_trip_through_json(config: Convert) -> None:
    assert Convert.model_validate_json(config.model_dump_json()) == config


def test_defaults_ask_for_a_float_file_of_batch_one() -> None:
    config = Convert()
    assert (config.quantize, config.io_dtype, config.batch) == ("none", "float32", 1)


@pytest.mark.parametrize("quantize", Quantization)
def test_only_integer_activations_are_calibrated(quantize: Quantization) -> None:
    assert quantize.calibrates is (quantize in ("int8", "int16x8", "mixed"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"batch": 0}, "batch is 0: give a positive number or 'dynamic'"),
        ({"batch": -2}, "batch is -2"),
        ({"batch": "all"}, "batch"),
        ({"io_dtype": "int8"}, "io_dtype int8 needs quantize='int8', not 'none'"),
        ({"io_dtype": "uint8", "quantize": "int16x8"}, "not 'int16x8'"),
        ({"io_dtype": "int16"}, "io_dtype"),
        ({"quantize": "int4"}, "quantize"),
        ({"calibrate": "mse"}, "calibrate 'mse' needs quantize='int8', not 'none'"),
        ({"calibrate": "kl", "quantize": "int8"}, "calibrate"),
        ({"calibration_samples": 0}, "calibration_samples"),
        ({"quantise": "int8"}, "quantise"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Convert(**values)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Convert().batch = 2  # type: ignore[misc]
