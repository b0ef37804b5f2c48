"""When training steps are compiled by XLA."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.data.data import load_data
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import compiling_pays, finetune

X = tiny_models.examples(32, 8)


def images(library: Any, *layers: Any) -> Any:
    return library.Sequential([library.Input((8, 8, 4)), *layers])


@pytest.mark.parametrize(
    ("name", "options", "pays"),
    [
        ("Conv2D", {"filters": 4}, True),
        ("Conv2D", {"filters": 4, "groups": 2}, False),
        ("DepthwiseConv2D", {}, False),
        ("SeparableConv2D", {"filters": 4}, False),
    ],
)
def test_convolutions_by_groups_do_not_pay(
    library: Any, name: str, options: dict[str, Any], pays: bool
) -> None:
    model = images(library, getattr(library.layers, name)(kernel_size=3, **options))
    assert compiling_pays(model, model) == pays
    inside = library.Sequential([library.Input((8, 8, 4)), model])
    assert compiling_pays(inside, inside) == pays


def test_groups_of_a_normalisation_are_none_of_a_convolution(library: Any) -> None:
    model = images(library, library.layers.GroupNormalization(groups=2))
    assert compiling_pays(model, model)


def test_what_xla_cannot_compile_does_not_pay(library: Any) -> None:
    assert not compiling_pays(tiny_models.dense(library), SimpleNamespace(supports_jit=False))


@pytest.mark.parametrize(("asked", "done"), [("auto", True), (True, True), (False, False)])
def test_steps_are_compiled_as_asked(library: Any, asked: Any, done: bool) -> None:
    model = tiny_models.dense(library)
    compiled: list[bool] = []
    compile_as_usual = model.compile

    def watched(**options: Any) -> None:
        compiled.append(options["jit_compile"])
        compile_as_usual(**options)

    model.compile = watched
    data = load_data({"x_train": X, "y_train": np.argmax(X[:, :3], axis=1)})
    finetune(model, data, FineTune(epochs=1, batch=16, jit=asked))
    assert compiled == [done]
