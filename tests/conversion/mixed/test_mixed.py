"""Models that int8 destroys end in a file that passes, with the fewest parts in float."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tables.test_terminal import Terminal
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.inspection.inspect import inspect
from tflite_squeeze.inspection.tables import inspect_tables
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.tables.terminal import print_tables
from tflite_squeeze.verification.limits import Verify

MIXED = Convert(quantize="mixed", sparsity="dense")
NORMAL = np.random.default_rng(0).normal(size=(512, 8)).astype(np.float32)


def kelvin(library: Any) -> Any:
    """300 K ± 1 in: bytes have steps of 1.2 K."""
    library.utils.set_random_seed(5)
    layers = library.layers
    x = library.Input((8,), name="temperature")
    y = layers.Dense(32, activation="relu", name="hidden")(layers.Rescaling(1, -300.0)(x))
    y = layers.Dense(64, activation="relu", name="wide")(y)
    return library.Model(x, layers.Dense(1, name="y")(y), name="kelvin")


def detector(library: Any) -> Any:
    """Boxes in pixels beside scores, in one output."""
    library.utils.set_random_seed(5)
    layers = library.layers
    x = library.Input((8,), name="x")
    y = layers.Dense(64, activation="relu", name="body")(x)
    y = layers.Dense(64, activation="relu", name="neck")(y)
    boxes = layers.Rescaling(300.0, name="pixels")(layers.Dense(4, name="boxes")(y))
    scores = layers.Dense(2, activation="sigmoid", name="scores")(y)
    return library.Model(x, layers.Concatenate(name="join")([boxes, scores]), name="detector")


def one_hot(library: Any) -> Any:
    """Token ids as floats, compared with all ids."""
    library.utils.set_random_seed(5)
    layers = library.layers
    x = library.Input((6,), name="ids")
    far = layers.Reshape((6, 1))(x) - np.arange(400, dtype=np.float32)
    hot = layers.ReLU(name="hot")(1.0 - abs(far))
    y = layers.Dense(8, activation="relu", name="table")(hot)
    y = layers.Dense(3, activation="softmax", name="classes")(layers.Flatten()(y))
    return library.Model(x, y, name="one_hot")


IDS = np.random.default_rng(0).integers(0, 400, (512, 6)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "build", "inputs", "kept", "limits"),
    [
        ("keras", kelvin, 300 + NORMAL, {"temperature"}, Verify(min_sqnr_db=15)),
        ("tf_keras", detector, NORMAL, {"join"}, Verify()),
        ("keras", one_hot, IDS, None, Verify(max_drop=0.02)),
    ],
)
def test_one_call_ends_in_a_passing_file_of_few_more_bytes(
    name: str, build: Any, inputs: Any, kept: set[str] | None, limits: Verify, monkeypatch: Any
) -> None:
    told: list[str] = []
    model = build(LIBRARIES[name])
    converted = convert(
        model,
        MIXED,
        inputs,
        verification=limits,
        working=lambda what, _done, _of: told.append(what),
    )
    record = converted.record
    found = record.mixed
    assert record.passed
    assert found is not None
    assert found.int8_failures  # int8 everywhere fails: the control
    assert found.int8_bytes is not None
    assert found.bytes == len(converted.tflite) <= 1.3 * found.int8_bytes
    assert found.us is not None
    assert found.kept
    assert kept is None or {one.name for one in found.kept} == kept
    assert all(one.without for one in found.kept if one.kind != "inside")
    assert (found.calibrated_on, found.chosen_on, found.apart) == (128, 128, True)
    assert record.verification is not None
    assert record.verification.examples == 256
    assert "measuring sensitivities" in told
    assert ConvertRecord.model_validate_json(record.model_dump_json()) == record
    assert not any(": give each part" in one for one in found.int8_failures)
    listing = inspect(converted.tflite, measure=False, plan=True)
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    print_tables((*convert_tables(record), *inspect_tables(listing)), file=terminal)
    shown = re.sub(r"\x1b\[\d*m", "", terminal.getvalue())
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(r"activations: \d+ in 8 bits, \d+ in float \(", " ".join(shown.split()))
    again = Convert(quantize="int8", keep_float=record.config.keep_float)
    assert convert(model, again, inputs, verification=limits).record.passed


def test_where_int8_passes_nothing_stays_in_float(library: Any) -> None:
    record = convert(tiny_models.dense(library), MIXED, NORMAL).record
    assert record.passed
    assert record.mixed is not None
    assert (record.mixed.kept, record.mixed.files, record.mixed.losses) == ((), 1, {})
    assert record.float_operators == ()
    (summary, *_) = convert_tables(record)
    assert "int8, which passes: nothing has to stay in float" in str(dict(summary.rows))


def test_without_labels_the_limit_is_one_of_agreement() -> None:
    record = convert(
        tiny_models.dense(LIBRARIES["keras"]), MIXED, NORMAL, verification=Verify(max_drop=0.1)
    ).record
    assert record.verification is not None
    assert record.verification.tolerance.min_agreement == 0.9
    assert record.mixed is not None
    assert "agreement with the model's own answers" in record.mixed.notes[0]


def test_all_in_float_is_said(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    limits = Verify(min_sqnr_db=100)
    model = tiny_models.dense(LIBRARIES["keras"])
    record = convert(model, MIXED, NORMAL, verification=limits).record
    assert record.passed
    assert record.config.plan is not None
    assert record.mixed is not None
    assert not record.config.plan.activations
    assert "everything had to stay in float" in record.mixed.notes[0]
    print_tables(convert_tables(record))
    assert "Kept in float" in capsys.readouterr().out


def test_layers_that_stay_in_float_together_are_said() -> None:
    keras = LIBRARIES["keras"]
    keras.utils.set_random_seed(5)
    x = keras.Input((8,), name="x")
    y = keras.layers.LayerNormalization(name="norm")(keras.layers.Dense(16, name="first")(x))
    model = keras.Model(x, keras.layers.Dense(3, name="y")(y))
    record = convert(model, MIXED, NORMAL, verification=Verify(min_sqnr_db=34)).record
    assert record.passed
    assert record.mixed is not None
    assert ("norm", "inside") in {(one.name, one.kind) for one in record.mixed.kept}
    assert "stays in float together" in record.mixed.notes[0]


def test_what_has_no_layers_to_keep_is_one_line() -> None:
    model = tiny_models.subclassed(LIBRARIES["keras"])
    record = convert(model, MIXED, NORMAL[:, :5], verification=Verify(min_sqnr_db=100)).record
    assert not record.passed
    assert record.mixed is not None
    assert "'subclassed' is none" in record.mixed.notes[0]
    with pytest.raises(UsageError, match="leave --no-verify out"):
        convert(model, MIXED, NORMAL[:, :5], verification=None)
    network = folded(tiny_models.dense(LIBRARIES["keras"]))
    with pytest.raises(UsageError, match="leave --quantize mixed out"):
        convert(twin_of(network, plan_for(network)), MIXED, NORMAL)


def test_the_commands(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    folder.mkdir()
    model, data, out = folder / "net.keras", folder / "x.npz", folder / "net.tflite"
    kelvin(LIBRARIES["keras"]).save(model)
    np.savez(data, x=3 + NORMAL / 100)
    told = tmp_path / "told.json"
    given = ("--data", data, "--scale", "100", "--min-sqnr-db", "15", "--no-per-channel-dense")
    failed = run("convert", model, "-o", out, "--quantize", "int8", *given)
    assert failed.code == 1
    command = failed.err[failed.err.index("tflite-squeeze convert") :]
    failed = run("verify", model, folder / "net.rejected.tflite", *given[:-1])
    advised = f"tflite-squeeze convert '{model}' -o '{folder / 'net.rejected.mixed.tflite'}' "
    assert advised in failed.err
    assert failed.code == 1
    outcome = run(*shlex.split(command)[1:], "--json", told)
    assert (outcome.code, outcome.err) == (0, "")
    assert out.exists()
    record = json.loads(told.read_text())
    assert record["data"]["preprocessing"] == {"scale": 100.0}
    assert not record["config"]["per_channel_dense"]
    assert record["verification"]["tolerance"]["min_sqnr_db"] == 15
    assert record["mixed"]["kept"]
    options = ("--data", data, "--scale", "100", "--json", told, "--keep-float", "temperature")
    outcome = run("convert", model, "-o", out, "--quantize", "mixed", "--force", *options)
    assert (outcome.code, outcome.err) == (0, "")
    record = json.loads(told.read_text())
    assert record["mixed"]["int8_failures"] == []
    assert record["config"]["keep_float"] == ["temperature"]
    line = run("convert", model, "-o", tmp_path / "b.tflite", "--quantize", "mixed").refused()
    assert "pass --data" in line
    assert load_data(data).raw.validation.count == 512
