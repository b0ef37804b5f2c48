"""From a model to the bytes of a file: shapes, quantization, names, metadata, refusals."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES, TwoSignatures, examples
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import Emitted, emit
from tflite_squeeze.emission.from_file.emit import emit_from_file
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import (
    description_of,
    metadata_of,
    operator_names,
    read_model,
)
from tflite_squeeze.tflite.signatures import signatures_of
from tflite_squeeze.tflite.tidy import METADATA_KEY
from tflite_squeeze.version import __version__

pytestmark = pytest.mark.slow

IMAGES = examples(24, 8, 8, 1)


def _operators(tflite: bytes) -> Counter[str]:
    return Counter(name for names in operator_names(tflite) for name in names)


def _emit(model: Any, inputs: dict[str, np.ndarray] | None = None, **options: Any) -> Emitted:
    calibration = None
    if inputs is not None:
        count = len(next(iter(inputs.values())))
        calibration = {
            "serving_default": lambda: (
                {name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)
            )
        }
    return emit(load_model(model), Convert(**options), calibration)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_needs_no_arithmetic_on_shapes(library: Any, batch: int) -> None:
    tflite = _emit(tiny_models.convolutional(library), batch=batch).tflite
    assert _operators(tflite) == {
        "CONV_2D": 1,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }
    assert signatures_of(tflite)[0].inputs == {"image": (batch, 8, 8, 1)}


def test_a_dynamic_batch_stays_open(library: Any) -> None:
    tflite = _emit(tiny_models.convolutional(library), batch="dynamic").tflite
    assert signatures_of(tflite)[0].inputs == {"image": (-1, 8, 8, 1)}


@pytest.mark.parametrize(
    ("build", "inputs", "outputs"),
    [
        ("two_ended", {"a": (1, 6), "b": (1, 2, 2, 1)}, {"classes": (1, 3), "value": (1, 1)}),
        ("keyed", {"a": (1, 4), "b": (1, 4)}, {"difference": (1, 4)}),
        ("nested", {"x": (1, 6)}, {"y": (1, 2)}),
    ],
)
def test_names_are_kept_and_answers_are_the_models(
    library: Any, build: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    model = getattr(tiny_models, build)(library)
    tflite = _emit(model).tflite
    (signature,) = signatures_of(tflite)
    assert (signature.name, signature.inputs, signature.outputs) == (
        "serving_default",
        inputs,
        outputs,
    )
    samples = {name: examples(5, *shape[1:], seed=ord(name)) for name, shape in inputs.items()}
    given: Any = samples if build == "keyed" else list(samples.values())
    reference = model.predict(given if len(samples) > 1 else given[0], verbose=0)
    if not isinstance(reference, dict):
        several = reference if isinstance(reference, list) else [reference]
        reference = dict(zip(outputs, several, strict=True))
    found = run_file(tflite, samples).outputs
    for name in outputs:
        np.testing.assert_allclose(found[name], reference[name], atol=1e-5)


def test_a_layer_used_twice_keeps_one_copy_of_its_weights(library: Any) -> None:
    tflite = _emit(tiny_models.shared(library)).tflite
    model = read_model(tflite)
    kernels = [
        model.subgraphs[0].tensors[operator.inputs[1]].buffer
        for operator, name in zip(
            model.subgraphs[0].operators, operator_names(tflite)[0], strict=True
        )
        if name == "FULLY_CONNECTED"
    ]
    assert len(kernels) == 2
    assert len(set(kernels)) == 1


def test_a_subclassed_model_converts(library: Any) -> None:
    model = tiny_models.subclassed(library)
    tflite = _emit(model).tflite
    (name,) = signatures_of(tflite)[0].inputs
    x = examples(3, 5)
    (found,) = run_file(tflite, {name: x}).outputs.values()
    np.testing.assert_allclose(found, np.asarray(model(x)), atol=1e-5)


def test_mixed_precision_is_told(library: Any) -> None:
    emitted = _emit(tiny_models.mixed_precision(library))
    assert "mixed precision" in emitted.notes[0]
    assert "DEQUANTIZE" not in _operators(emitted.tflite)


def test_open_dimensions_are_filled_by_shape(library: Any) -> None:
    model = tiny_models.open_length(library)
    with pytest.raises(InputError, match="pass --input-shape sequence=1,N,3"):
        _emit(model)
    tflite = _emit(model, input_shapes={"sequence": (2, 12, 3)}).tflite
    assert signatures_of(tflite)[0].inputs == {"sequence": (2, 12, 3)}


@pytest.mark.parametrize("io_dtype", ["float32", "int8", "uint8"])
def test_int8_is_integer_throughout(io_dtype: str) -> None:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    emitted = _emit(model, {"image": IMAGES}, quantize="int8", io_dtype=io_dtype)
    assert emitted.float_operators == ()
    graph = read_model(emitted.tflite).subgraphs[0]
    number = {"float32": 0, "int8": 9, "uint8": 3}[io_dtype]
    assert graph.tensors[graph.inputs[0]].type == number
    assert graph.tensors[graph.outputs[0]].type == number
    found = run_file(emitted.tflite, {"image": IMAGES}).outputs["scores"]
    np.testing.assert_allclose(found, model.predict(IMAGES, verbose=0), atol=0.05)


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_integers_without_samples_are_refused(quantize: str) -> None:
    with pytest.raises(InputError, match=f"--quantize {quantize} calibrates on real samples"):
        _emit(tiny_models.dense(LIBRARIES["keras"]), quantize=quantize)


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_infinite_activations_are_refused_before_the_quantizer_crashes(quantize: str) -> None:
    layers = LIBRARIES["keras"].layers
    x = layers.Input((8,), name="x")
    model = LIBRARIES["keras"].Model(x, layers.Dense(3)(layers.Activation("exponential")(x)))

    def samples(largest: float) -> dict[str, Any]:
        return {"serving_default": lambda: iter([{"x": np.full((1, 8), largest, np.float32)}])}

    for source, emitting in ((model, emit), (_emit(model).tflite, emit_from_file)):
        emitting(load_model(source), Convert(quantize=quantize), samples(1))
        with pytest.raises(InputError, match=r"Exp' is NaN or infinite on the samples"):
            emitting(load_model(source), Convert(quantize=quantize), samples(1000))


def test_float_islands_are_named() -> None:
    model = tiny_models.normalized(LIBRARIES["keras"])
    emitted = _emit(model, {"x": examples(24, 8)}, quantize="int8")
    assert emitted.float_operators
    assert {line.split(" → ")[0] for line in emitted.float_operators} >= {
        "DEQUANTIZE",
        "QUANTIZE",
    }
    (note,) = [line for line in emitted.notes if line.startswith("not fully integer")]
    assert f"{len(emitted.float_operators)} operators of the int8 file" in note


def test_one_scale_for_a_dense_layer_makes_a_smaller_file(library: Any) -> None:
    model, inputs = tiny_models.dense(library), {"x": examples(24, 8)}
    scales = {}
    sizes = {}
    for per_channel in (True, False):
        tflite = _emit(model, inputs, quantize="int8", per_channel_dense=per_channel).tflite
        tensors = read_model(tflite).subgraphs[0].tensors
        scales[per_channel] = max(
            len(tensor.quantization.scale)
            for tensor in tensors
            if tensor.quantization is not None and tensor.quantization.scale is not None
        )
        sizes[per_channel] = len(tflite)
    assert scales == {True: 16, False: 1}
    assert sizes[False] < sizes[True]


def test_weights_shrink_with_their_bits() -> None:
    layers = LIBRARIES["keras"].layers
    model = LIBRARIES["keras"].Sequential(
        [LIBRARIES["keras"].Input((64,), name="x"), layers.Dense(64)]
    )
    sizes = {
        name: len(_emit(model, quantize=name).tflite) for name in ("none", "float16", "dynamic")
    }
    # 64·64 weights of 4, 2 and 1 bytes
    assert sizes["none"] - sizes["float16"] == pytest.approx(8192, abs=1000)
    assert sizes["none"] - sizes["dynamic"] == pytest.approx(12288, abs=1000)


def test_all_signatures_are_kept(tmp_path: Path) -> None:
    module = TwoSignatures()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.functions())
    x = examples(3, 3)
    for source in (
        tmp_path / "saved",
        tf.saved_model.load(str(tmp_path / "saved")),
        module.functions(),
    ):
        tflite = _emit(source).tflite
        assert [item.name for item in signatures_of(tflite)] == ["double", "project"]
        doubled = run_file(tflite, {"x": x}, signature="double").outputs["doubled"]
        np.testing.assert_allclose(doubled, 2 * x, rtol=1e-6)
        projected = run_file(tflite, {"x": x}, signature="project").outputs["projected"]
        np.testing.assert_allclose(projected, x @ module.weight.numpy(), rtol=1e-5)


def test_metadata_says_what_the_file_is() -> None:
    source = load_model(tiny_models.dense(LIBRARIES["keras"]))
    tflite = emit(source, Convert(labels=("cat", "dög", "bee"))).tflite
    assert json.loads(metadata_of(tflite)[METADATA_KEY]) == {
        "name": "dense",
        "version": __version__,
        "labels": ["cat", "dög", "bee"],
        "source_sha256": source.sha256,
        "quantize": "none",
    }
    assert description_of(tflite) == f"dense, converted by tflite_squeeze {__version__}"
    renamed = emit(source, Convert(name="pets")).tflite
    assert json.loads(metadata_of(renamed)[METADATA_KEY])["name"] == "pets"


def test_the_same_bytes_twice(library: Any) -> None:
    first = _emit(tiny_models.convolutional(library), {"image": IMAGES}, quantize="int8").tflite
    assert (
        _emit(tiny_models.convolutional(library), {"image": IMAGES}, quantize="int8").tflite
        == first
    )


def test_the_same_bytes_in_another_process(models: Path) -> None:
    program = (
        "import sys, hashlib\n"
        "from tflite_squeeze.emission.config import Convert\n"
        "from tflite_squeeze.emission.converter import emit\n"
        "from tflite_squeeze.network.loading import load_model\n"
        "tflite = emit(load_model(sys.argv[1]), Convert(quantize='dynamic')).tflite\n"
        "print(hashlib.sha256(tflite).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(models / "watch_lstm.keras")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_nothing_of_the_converter_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    source = load_model(tiny_models.dense(LIBRARIES["keras"]))
    capfd.readouterr()
    emit(source, Convert())
    assert capfd.readouterr() == ("", "")


def test_what_nobody_can_run_is_refused_by_name(library: Any) -> None:
    model = tiny_models.odd(library, operation="erfinv")
    for allow in (False, True):
        with pytest.raises(
            UnsupportedError, match=r"no operator for Erfinv \(layer odd\), nor has"
        ):
            _emit(model, allow_select_ops=allow)


def test_what_flex_can_run_says_what_that_costs(library: Any) -> None:
    model = tiny_models.odd(library, operation="tan")
    with pytest.raises(UnsupportedError) as caught:
        _emit(model)
    tflite = _emit(model, allow_select_ops=True).tflite
    assert _operators(tflite)["FlexTan"] == 1
    told = str(caught.value)
    assert told.startswith("TFLite has no operator for Tan (layer odd): replace the layer, or pass")
    assert "--allow-select-ops (tried: a file of 1," in told
    assert "Flex delegate" in told


def test_a_form_that_fails_names_one_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> None:
        raise ValueError("no such calibration\nmore")

    monkeypatch.setattr("tflite_squeeze.emission.converter._representative", broken)
    model = tiny_models.dense(LIBRARIES["keras"])
    with pytest.raises(UnsupportedError, match=r"to int8 \(no such calibration\): use") as caught:
        _emit(model, {"x": examples(4, 8)}, quantize="int8")
    assert str(caught.value).endswith("use --quantize dynamic, to which it converts")


def test_a_loop_that_cannot_be_unrolled_cannot_be_calibrated() -> None:
    layers = LIBRARIES["tf_keras"].layers
    x = LIBRARIES["tf_keras"].Input((3, 5, 5, 1), name="x")
    model = LIBRARIES["tf_keras"].Model(x, layers.Flatten()(layers.ConvLSTM2D(1, 3)(x)))
    with pytest.raises(UnsupportedError, match="cannot calibrate a WHILE loop"):
        _emit(model, {"x": examples(4, 3, 5, 5, 1)}, quantize="int8")
