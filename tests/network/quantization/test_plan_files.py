"""Plans as text: read, refused with the line, and written so that nothing is lost."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tflite_squeeze.errors import InputError
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.network.quantization.plan_files import load_plan, written_plan

SOUND = """\
weights:
  dense/kernel: {bits: 4, axis: -1, scale: [1e-3, 0.25]}
  "a: b": {bits: null}
activations:
  dense: {low: -1, high: 6.5}
"""
POSITIVE = st.floats(min_value=2.0**-126, max_value=2.0**126)
WEIGHTS = st.one_of(
    st.builds(
        WeightQuantization,
        bits=st.sampled_from([8, 4, 2]),
        axis=st.integers(-4, 3),
        scale=st.none() | st.lists(POSITIVE, min_size=1, max_size=4).map(tuple),
        zero_point=st.integers(-128, 255),
    ),
    st.just(WeightQuantization(bits=None)),
)
ACTIVATIONS = st.one_of(
    st.builds(
        ActivationQuantization,
        bits=st.sampled_from([8, 16, None]),
        low=POSITIVE.map(lambda value: -value),
        high=st.just(0.0) | POSITIVE,
    ),
    st.builds(ActivationQuantization, bits=st.sampled_from([8, 16, None])),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["null", "1", "", "a: b", "? x", "#", "x" * 3000, 'quo"te', "\x00", "\x7f", "\n", "😀", "-"]
)
PLANS = st.builds(
    QuantizationPlan,
    weights=st.dictionaries(NAMES, WEIGHTS, max_size=4),
    activations=st.dictionaries(NAMES, ACTIVATIONS, max_size=4),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


@given(PLANS)
def test_nothing_is_lost_in_yaml_and_json(folder: Path, plan: QuantizationPlan) -> None:
    text, data = folder / "plan.yaml", folder / "plan.json"
    text.write_bytes(written_plan(plan).encode())
    data.write_bytes(plan.model_dump_json().encode())
    for path in (text, data):
        again = load_plan(path)
        assert again == plan
        assert list(again.weights) == list(plan.weights)
    assert QuantizationPlan.model_validate_json(plan.model_dump_json()) == plan


def test_a_line_for_each_tensor_that_people_can_edit() -> None:
    plan = QuantizationPlan(
        weights={
            "dense/kernel": WeightQuantization(bits=4, axis=0, scale=(0.1, 1e-6)),
            "conv": WeightQuantization(bits=None),
            "true": WeightQuantization(),
        },
        activations={"relu:0": ActivationQuantization(low=0, high=6)},
    )
    comment, *lines = written_plan(plan).splitlines()
    assert comment.startswith("# bits: 8, 4 or 2")
    assert lines == [
        "weights:",
        "  dense/kernel: {bits: 4, axis: 0, scale: [0.1, 1.0e-06]}",
        "  conv: {bits: null}",
        '  "true": {bits: 8}',
        "activations:",
        '  "relu:0": {bits: 8, low: 0.0, high: 6.0}',
    ]
    assert written_plan(QuantizationPlan()).splitlines()[1:] == ["weights: {}", "activations: {}"]
    # Other readers understand it as well.
    assert yaml.safe_load(written_plan(plan))["weights"]["dense/kernel"]["scale"] == [0.1, 1e-6]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bits: 4", "bits: 5", "plan.yaml:2: weights.dense/kernel.bits: 5: Input should be 8, 4"),
        ("bits: 4", "bit: 4", "2: weights.dense/kernel: unknown key 'bit': did you mean 'bits'?"),
        ("axis: -1, ", "", "plan.yaml:2: weights.dense/kernel: 2 scales without an axis"),
        ("0.25", "-0.25", "plan.yaml:2: weights.dense/kernel: a scale is not a positive number"),
        ("0.25", "wide", "plan.yaml:2: weights.dense/kernel.scale.2: 'wide': Input should be a"),
        ("low: -1, ", "", "plan.yaml:5: activations.dense: a range needs both low and high"),
        ("low: -1", "low: 1", "plan.yaml:5: activations.dense: a range from 1.0 to 6.5 does not"),
        ("{low: -1, high: 6.5}", "int8", "activations.dense: 'int8' stands where fields belong"),
        ("{low: -1, high: 6.5}", "", "plan.yaml:5: activations.dense: nothing stands where fields"),
        ("weights:", "weight:", "plan.yaml:1: the plan: unknown key 'weight': did you mean 'wei"),
        ('"a: b"', "dense/kernel", "plan.yaml:3: 'dense/kernel' occurs twice"),
        ("[1e-3, 0.25]", "&s [*s]", "too large or too deeply nested"),
        pytest.param("[1e-3", "[" * 2000 + "1e-3", "nested too deeply for a plan", id="deep"),
        ("bits: 4", "bits: !!python/name:os.system 4", "cannot be read as"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "plan.yaml"
    path.write_text(SOUND.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        load_plan(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.yaml", "- 1", "p.yaml:1: a plan is a mapping with weights and activations"),
        ("p.json", "[]", "p.json: a plan is a mapping"),
        ("p.json", '{"weights":\n{,}}', "p.json:2: it is not JSON"),
        ("p.json", '{"weights": {"w": {"bits": 3}}}', "p.json: weights.w.bits: 3: Input should"),
        ("p.json", '{"weights": {}, "weights": {}}', "p.json: 'weights' occurs twice"),
        pytest.param("p.json", "[" * 100_000, "it is not JSON", id="deep"),
        ("p.json", '{"a":' * 14 + "1" + "}" * 14, "too large or too deeply nested"),
        ("p.json", '{"weights": {"w": {"scale": [NaN]}}}', "weights.w: a scale is not a positive"),
        pytest.param("p.yaml", "x" * (2**22 + 1), "more than 4,194,304", id="large"),
    ],
)
def test_what_is_no_plan_at_all(folder: Path, name: str, text: str, said: str) -> None:
    path = folder / name
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_plan(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_text(folder: Path) -> None:
    for name in ("b.yaml", "b.json"):
        (folder / name).write_bytes(b"weights: \xff")
        with pytest.raises(InputError, match=r"it is not (UTF-8|JSON)"):
            load_plan(folder / name)


def test_references_must_not_multiply(folder: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [
        f"{b}: &{b} [{', '.join(['*' + a] * 10)}]"
        for a, b in zip("abcdefg", "bcdefgh", strict=True)
    ]
    (folder / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="too large"):
        load_plan(folder / "bomb.yaml")
