"""A candidate stands for one recipe, in the right order and with the steps that it was given."""

import pytest
from pydantic import ValidationError

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate, factorizing, recipe_of
from tflite_squeeze.techniques.narrowing.config import Narrow

TIDY = Narrow(multiple=1)


def test_steps_come_in_order_and_share_the_training() -> None:
    candidate = Candidate(quantize=Quantization.INT8, keep=0.5, factor=0.8, sparsity=0.9,
                          clusters=16, steps=1300)  # fmt: skip
    narrow = Narrow(ratio=0.0, layers={"conv": 0.5}, multiple=1)
    asked = Tune(minimize="download")
    recipe = recipe_of(candidate, asked, tidy=TIDY, narrow=narrow, batch=32, name="tuned")
    assert [step.technique for step in recipe.steps] == ["narrow", "factorize", "prune", "cluster"]
    trainings = [step.finetune.steps for step in recipe.steps if step.finetune]
    assert trainings == [400, 400, 400, 100]
    assert recipe.set_aside
    assert recipe.convert.quantize is Quantization.INT8
    assert recipe.convert.per_channel_dense is False
    assert recipe.description == "narrowed to 50%, factors of 80%, 90% zeros, 16 values, int8"
    factors = recipe.steps[1].factorize
    assert (factors.budget, factors.keep, factors.multiple) == ("bytes", 0.8, 1)
    assert factorizing(0.5, Tune()).budget == "macs"


def test_a_price_of_bytes_is_one_step() -> None:
    candidate = Candidate(quantize=Quantization.INT8, penalty=0.25, steps=600)
    assert candidate.trains
    asked = Tune(minimize="download", protect=("head",))
    recipe = recipe_of(candidate, asked, tidy=TIDY, batch=32, name="tuned")
    (step,) = recipe.steps
    assert (step.technique, step.entropy.penalty) == ("entropy", 0.25)
    assert step.entropy.protect == ("head",)
    assert step.finetune.steps == 600
    assert recipe.convert.per_channel_dense is False
    assert recipe.description == "bytes at a price of 0.25, int8"


def test_what_leaves_the_model_as_it_is_has_no_steps() -> None:
    candidate = Candidate(quantize=Quantization.NONE, keep=0.99, sparsity=0.1)
    assert not candidate.trains
    assert candidate.text() == "float32"
    recipe = recipe_of(candidate, Tune(), tidy=TIDY, batch=32, name="tuned")
    assert recipe.steps == ()


def test_dead_channels_go_before_anything_else_and_need_no_training() -> None:
    candidate = Candidate(quantize=Quantization.INT8, tidied=True)
    assert candidate.changes
    assert not candidate.trains
    assert candidate.text() == "no dead channels, int8"
    narrowed = candidate.model_copy(update={"keep": 0.5, "steps": 100})
    plan = Narrow(layers={"conv": 0.5}, multiple=1)
    recipe = recipe_of(narrowed, Tune(), tidy=TIDY, narrow=plan, batch=32, name="tuned")
    assert [step.narrow for step in recipe.steps] == [TIDY, plan]
    assert recipe.steps[0].finetune is False


def test_microcontrollers_get_integers_from_end_to_end() -> None:
    asked = Tune(minimize="ram", target="micro")
    candidate = Candidate(quantize=Quantization.INT8)
    recipe = recipe_of(candidate, asked, tidy=TIDY, batch=32, name="tuned")
    assert recipe.convert.io_dtype == "int8"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"minimize": "ram"}, "set target to micro"),
        ({"minimize": "latency", "target": "micro"}, "no microcontroller"),
        ({"only": ("narrow",), "without": ("prune",)}, "contradict"),
    ],
)
def test_what_contradicts_itself_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tune.model_validate(settings)
