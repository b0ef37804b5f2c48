"""Arguments in each other's places are refused in one line, by every verb of the public API."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_squeeze
from tests.tiny_models import LIBRARIES, dense
from tflite_squeeze import Distill, FineTune, Prune, distill
from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import SqueezeError, UsageError

DATA = np.ones((6, 8), np.float32), np.arange(6) % 3
VERBS = [
    name for name in tflite_squeeze.__all__
    if inspect.isfunction(verb := getattr(tflite_squeeze, name))
    and {"config", "asked", "recipe"} & set(inspect.signature(verb).parameters)
    and name != "in_file"  # whose config is that of another verb
]  # fmt: skip


@pytest.mark.parametrize("name", VERBS)
def test_data_in_the_place_of_settings(name: str) -> None:
    verb = getattr(tflite_squeeze, name)
    settings = next(one for one in inspect.signature(verb).parameters
                    if one in ("config", "asked", "recipe"))  # fmt: skip
    others = {
        parameter.name: "net.tflite"
        for parameter in inspect.signature(verb).parameters.values()
        if parameter.default is parameter.empty
    }
    with pytest.raises(UsageError, match=rf"^{name} was given a tuple as ") as refused:
        verb(**{**others, settings: DATA})
    assert f": call {name}(" in str(refused.value)


def test_at_least_the_known_verbs_are_asked() -> None:
    assert {"prune", "cluster", "factorize", "narrow", "quantize", "penalize_entropy", "binarize",
            "convert", "verify", "tune", "squeeze", "distill"} <= set(VERBS)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("student", DATA, Distill(), "teacher"), "a tuple as config, which takes Distill"),
        (("student", "teacher", DATA, Distill()), "a str as config, which takes Distill"),
        (("student", Distill(), DATA, Distill()), "a Distill as teacher: call distill"),
        ((Distill(), "student", DATA, "teacher"), "a Distill as student: call distill"),
        (("student", Distill(), DATA, "teacher", Prune(sparsity=0.5)), "a Prune as finetune"),
    ],
)
def test_distill_with_arguments_in_a_wrong_order(arguments: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        distill(*arguments)
    assert "(student, config, data, teacher, finetune)" in str(refused.value)


@pytest.mark.parametrize("name", list(LIBRARIES))
def test_a_model_in_the_place_of_data(name: str) -> None:
    model = dense(LIBRARIES[name])
    with pytest.raises(UsageError, match="was given a Sequential as data: call prune"):
        tflite_squeeze.prune(model, Prune(sparsity=0.5), model)
    with pytest.raises(SqueezeError):
        tflite_squeeze.prune(DATA, Prune(sparsity=0.5))


def test_what_a_verb_takes_passes() -> None:
    @checked_arguments
    def verb(model: Any, config: FineTune | None = None, folder: str | Path = "a", **_: Any) -> Any:
        return model, config, folder

    assert verb(1) == (1, None, "a")
    assert verb(1, FineTune(), Path("b"), data=DATA) == (1, FineTune(), Path("b"))
    assert verb(model=2, config=None) == (2, None, "a")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'model'"):
        verb()
    with pytest.raises(
        UsageError, match="verb was given an int as folder, which takes str or Path: call verb"
    ):
        verb(1, None, 3)


def test_any_stays_any_where_a_verb_has_no_settings() -> None:
    @checked_arguments
    def verb(config: Any, anything: "FineTune", number: Callable[..., Any] | None = None) -> Any:
        return config, anything, number

    assert verb(Prune(sparsity=0.5), "x", print) == (Prune(sparsity=0.5), "x", print)
