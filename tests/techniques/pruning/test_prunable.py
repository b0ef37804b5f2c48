"""Layers that say themselves how they are pruned."""

import numpy as np
import pytest

from tests import tiny_models
from tests.techniques.short_fits import alike
from tflite_squeeze.cli import main
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.grouped_masks import groups_of
from tflite_squeeze.techniques.pruning.prunable import Prunable, strip
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial

pytestmark = pytest.mark.slow

X = tiny_models.examples(64, 8)
Y = np.arange(64) % 4
QUICK = Polynomial(end=6, frequency=1)


def network(library, first=None, second=None):
    """Dense kernels of 8x10, 10x10 and 10x4; wrapped where a config is given."""
    layers = library.layers
    one, two = layers.Dense(10, name="one"), layers.Dense(10, name="two")
    return library.Sequential(
        [
            library.Input((8,)),
            one if first is None else Prunable(one, first),
            two if second is None else Prunable(two, second),
            layers.Dense(4, activation="softmax", name="out"),
        ],
        name="net",
    )


def fitted(model, config):
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=[PruningCallback(config)])
    return model


def zeros(model):
    return {
        target.layer.name: int(np.sum(np.asarray(target.variable) == 0))
        for target in groups_of(model, alike(sparsity=0.5)).selection.targets
    }


def test_its_own_sparsity_holds_in_fit(library):
    model = network(library, first=alike(sparsity=0.9))
    fitted(model, alike(sparsity=0.5, schedule=QUICK))
    assert zeros(model) == {"one": 72, "two": 50, "out": 20}


def test_without_settings_of_its_own_the_callbacks_hold(library):
    """The control: the same network, plain."""
    model = fitted(network(library), alike(sparsity=0.5, schedule=QUICK))
    assert zeros(model) == {"one": 40, "two": 50, "out": 20}


def test_its_own_granularity_holds(library):
    model = network(library, second=alike(sparsity=0.5, granularity="filter"))
    fitted(model, alike(sparsity=0.25, schedule=QUICK))
    kernel = next(
        np.asarray(target.variable)
        for target in groups_of(model, alike(sparsity=0.5)).selection.targets
        if target.layer.name == "two"
    )
    assert sorted(np.sum(kernel == 0, axis=0)) == [0] * 5 + [10] * 5


def test_it_is_pruned_though_the_callback_looks_elsewhere(library):
    model = network(library, first=alike(sparsity=0.5), second=alike(sparsity=0.2))
    fitted(model, alike(sparsity=0.75, only=("out",), protect=("one",), schedule=QUICK))
    assert zeros(model) == {"one": 40, "two": 20, "out": 30}


def test_zero_keeps_a_layer_dense(library):
    model = network(library, first=alike(sparsity=0.0))
    groups = groups_of(model, alike(sparsity=0.5))
    reasons = {item.layer: item.reason for item in groups.selection.skipped}
    assert reasons == {"one": "kept dense by its Prunable"}
    fitted(model, alike(sparsity=0.5, schedule=QUICK))
    assert not np.any(model.layers[0].layer.get_weights()[0] == 0)


def test_the_rest_may_stay_dense_while_a_prunable_follows_the_schedule(library):
    model = fitted(network(library, first=alike(sparsity=0.9)), alike(sparsity=0.0, schedule=QUICK))
    assert zeros(model) == {"one": 72, "two": 0, "out": 0}


def test_without_the_callback_nothing_is_pruned(library):
    model = network(library, first=alike(sparsity=0.9))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0)
    assert zeros(model) == {"one": 0, "two": 0, "out": 0}


def test_prune_honours_it_and_says_so_in_the_record(library):
    model = network(library, first=alike(sparsity=0.9))
    pruned, record = prune(model, alike(sparsity=0.5))
    assert zeros(pruned) == {"one": 72, "two": 50, "out": 20}
    assert zeros(model)["one"] == 0
    assert {w.name: w.zeros_after for w in record.weights} == {
        "one/kernel": 72,
        "two/kernel": 50,
        "out/kernel": 20,
    }
    assert record.target == pytest.approx(142 / 220)
    assert record.reached


def test_what_has_no_kernel_is_reported(library):
    flatten = Prunable(library.layers.Flatten(name="flat"), alike(sparsity=0.5))
    model = library.Sequential([library.Input((8,)), flatten, library.layers.Dense(2, name="out")])
    skipped = groups_of(model, alike(sparsity=0.5)).selection.skipped
    assert [(s.layer, s.reason) for s in skipped] == [("flat", "nothing in it can be pruned")]


def test_strip_leaves_the_layers_and_their_zeros(library):
    model = network(library, first=alike(sparsity=0.9), second=alike(sparsity=0.2))
    fitted(model, alike(sparsity=0.5, schedule=QUICK))
    plain = strip(model)
    assert [layer.name for layer in plain.layers] == ["one", "two", "out"]
    assert zeros(plain) == {"one": 72, "two": 20, "out": 20}
    np.testing.assert_array_equal(plain.predict(X, verbose=0), model.predict(X, verbose=0))
    assert strip(plain) is plain


def test_it_is_saved_and_loaded_with_its_settings(library, tmp_path):
    own = alike(sparsity=0.9, granularity="1x2", score="random", seed=3)
    model = network(library, first=own)
    model.save(tmp_path / "net.keras")
    loaded = library.models.load_model(tmp_path / "net.keras")
    assert Prune.model_validate_json(loaded.layers[0].settings) == own
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    fitted(loaded, alike(sparsity=0.5, schedule=QUICK))
    assert zeros(loaded) == {"one": 72, "two": 50, "out": 20}


def test_the_command_honours_it_and_writes_plain_layers(library, tmp_path):
    network(library, first=alike(sparsity=0.9)).save(tmp_path / "net.keras")
    output = tmp_path / "out.keras"
    command = ["prune", str(tmp_path / "net.keras"), "-o", str(output), "--sparsity", "0.5"]
    command += ["--budget", "uniform"]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code
    assert zeros(library.models.load_model(output)) == {"one": 72, "two": 50, "out": 20}
    assert library.models.load_model(output).layers[0].name == "one"


def test_masks_of_sequences_pass_through(library):
    layers = library.layers
    embedding = Prunable(layers.Embedding(5, 3, mask_zero=True, name="words"), alike(sparsity=0.5))
    model = library.Sequential(
        [library.Input((4,), dtype="int32"), embedding, layers.LSTM(2, name="memory")]
    )
    ends_early, shorter = np.array([[1, 2, 0, 0]]), np.array([[1, 2]])
    plain = strip(model)
    expected = plain.get_layer("memory")(plain.get_layer("words")(shorter))
    np.testing.assert_allclose(model.predict(ends_early, verbose=0), expected, atol=1e-6)


def test_refusals(library):
    with pytest.raises(UsageError, match="int is not a Keras layer"):
        Prunable(3, alike(sparsity=0.5))
    for names in ({"only": ("a",)}, {"protect": ("a",)}, {"layers": {"a": 0.5}}):
        with pytest.raises(UsageError, match="for its own layer"):
            Prunable(library.layers.Dense(2), alike(sparsity=0.5, **names))
    with pytest.raises(InputError, match="model model does not exist"):
        strip("model")
    with pytest.raises(UsageError, match=r"int .* is not a Keras model"):
        strip(3)
