import random

import numpy as np
import pytest

from tests.tiny_files import FileMaker, dense_file
from tflite_squeeze.errors import InputError, SqueezeError
from tflite_squeeze.inspection.inspect import inspect
from tflite_squeeze.inspection.record import AdviceKind, InspectRecord
from tflite_squeeze.inspection.tables import inspect_tables

_MUTATIONS = 400


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request):
    return pytest.importorskip(request.param)


def _model(keras):
    layers = keras.layers
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="late")(x)
    x = layers.Conv2D(8, 1, use_bias=False, name="plain")(x)
    x = layers.BatchNormalization(name="folded")(x)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(image, layers.Dense(4, activation="sigmoid", name="scores")(x), name="odd")


def test_the_layers_of_a_keras_model(keras) -> None:
    model = _model(keras)
    kernel = np.zeros((1, 1, 8, 8), np.float32)
    kernel[0, 0, 0] = 2.5
    model.get_layer("plain").set_weights([kernel])
    record = inspect(model)
    by_name = {layer.name: layer for layer in record.layers}
    assert list(by_name) == ["conv", "late", "plain", "folded", "leaky", "flatten", "scores"]
    assert by_name["conv"].output == (-1, 6, 6, 8)
    assert by_name["conv"].parameters == 3 * 3 * 4 * 8 + 8
    assert by_name["conv"].macs == 6 * 6 * 8 * 36
    assert by_name["plain"].weights[0].zeros == 56
    assert by_name["plain"].weights[0].distinct == 2
    assert record.macs == 6 * 6 * 8 * 36 + 36 * 64 + 288 * 4
    assert record.parameters == 296 + 32 + 64 + 32 + 288 * 4 + 4
    assert record.weights_bytes == 4 * record.parameters
    assert (record.kind, record.unknown_macs) == (keras.__name__, ())
    assert InspectRecord.model_validate_json(record.model_dump_json()) == record


def test_advice_on_a_keras_model(keras) -> None:
    integers, normalization, activation = inspect(_model(keras)).advice
    assert integers.kind is AdviceKind.INT8
    # "folded" has nothing between it and its convolution, and "scores" is the output
    assert normalization.kind is AdviceKind.UNFUSED_BATCH_NORMALIZATION
    assert normalization.where == ("late",)
    assert normalization.cost_elements == 2 * 6 * 6 * 8
    assert normalization.cost_bytes == 2 * 4 * 8
    assert activation.kind is AdviceKind.UNFUSED_ACTIVATION
    assert activation.where == ("leaky",)
    assert activation.cost_elements == 288


def test_a_subclass_of_a_convolution_absorbs_batch_normalization_too(keras) -> None:
    class Own(keras.layers.Conv2D):
        pass

    def advice(between):
        image = keras.Input((4, 4, 2))
        x = keras.layers.BatchNormalization()(between(Own(3, 1)(image)))
        return inspect(keras.Model(image, keras.layers.Flatten()(x))).advice

    assert advice(lambda x: x) == ()
    (pooled,) = advice(keras.layers.MaxPooling2D())
    assert "follows a MaxPooling2D layer" in pooled.text


def test_nested_models_give_way_to_their_layers(keras) -> None:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3, name="inner")], name="block")
    outer = keras.Sequential([keras.Input((6,)), inner, layers.Dense(2, name="outer")])
    record = inspect(outer)
    assert [layer.name for layer in record.layers] == ["inner", "outer"]
    assert record.macs == 6 * 3 + 3 * 2


def test_recurrent_layers_stay_whole(keras) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.Bidirectional(layers.LSTM(4), name="both")]
    )
    (layer,) = inspect(model).layers
    assert layer.name == "both"
    assert layer.parameters == 2 * 4 * (4 * (3 + 4) + 4)
    assert layer.macs == 2 * 5 * 4 * (12 + 16)


def test_subclassed_models_show_what_they_tell(keras) -> None:
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3, name="dense")

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.zeros((1, 2), np.float32))
    record = inspect(model)
    assert (record.parameters, record.layers[0].output) == (9, None)
    assert record.unknown_macs == ("Dense dense",)


def test_a_file_is_listed_and_measured() -> None:
    record = inspect(dense_file())
    assert [operator.name for operator in record.operators] == ["FULLY_CONNECTED"]
    assert record.size is not None
    assert record.size.raw_bytes == len(dense_file())
    assert (record.parameters, record.zeros, record.macs) == (8, 2, 6)
    assert (record.run_us is None) == (record.not_measured is not None)
    assert InspectRecord.model_validate_json(record.model_dump_json()) == record


def test_a_file_that_the_runtime_refuses_is_still_shown() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1,)), maker.tensor("y", (1,))
    maker.operator("FlexErf", [x], [y], custom=True)
    record = inspect(maker.file([x], [y]))
    assert record.run_us is None
    assert record.not_measured is not None
    assert "LiteRT runtime" in record.not_measured
    assert [advice.kind for advice in record.advice] == [AdviceKind.FLEX_OPERATORS]


def test_what_is_no_model_is_refused(tmp_path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    with pytest.raises(InputError, match="is not a model"):
        inspect(other)
    with pytest.raises(InputError, match="does not exist"):
        inspect(tmp_path / "none.tflite")


def test_damaged_files_are_shown_or_refused_with_one_line() -> None:
    tflite, refused, shown = dense_file(), [], 0
    for seed in range(_MUTATIONS):
        rng = random.Random(seed)
        damaged = bytearray(tflite)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(8, len(damaged))] = rng.choice(
                [0, 1, 127, 255, rng.randrange(256)]
            )
        if seed % 8 == 0:
            del damaged[rng.randrange(8, len(damaged)) :]
        try:
            inspect_tables(inspect(bytes(damaged), measure=False))
            shown += 1
        except SqueezeError as error:
            refused.append(str(error))
    assert not [message for message in refused if "\n" in message]
    assert shown > _MUTATIONS / 20
    assert len(refused) > _MUTATIONS / 20


@pytest.mark.own_process
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damaged_files_are_measured_without_harm(seed) -> None:
    rng = random.Random(seed)
    damaged = bytearray(dense_file())
    for _ in range(3):
        damaged[rng.randrange(len(damaged) // 2, len(damaged))] = rng.randrange(256)
    try:
        record = inspect(bytes(damaged))
    except SqueezeError as error:
        message = str(error)
    else:
        message = record.not_measured or ""
    assert "\n" not in message
