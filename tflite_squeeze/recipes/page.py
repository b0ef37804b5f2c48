"""A run of a recipe as the contents of a page."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tflite_squeeze.page.contents import (
    Contents,
    Facts,
    Front,
    Kind,
    Measure,
    Point,
    Refusal,
    Step,
    Steps,
    Tensor,
    Verdict,
)
from tflite_squeeze.profiling.page import shown_operators
from tflite_squeeze.recipes.files import dump_recipe
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.recipe import Step as RecipeStep
from tflite_squeeze.recipes.report import Report, StepReport
from tflite_squeeze.recipes.tables import (
    claims_table,
    for_now,
    limit_tables,
    remarks,
    steps_table,
    summary_table,
)
from tflite_squeeze.tables.table import first_name, listed
from tflite_squeeze.tflite.footprint import Footprint, TensorBytes
from tflite_squeeze.verification.tables import verify_tables

_DOWNLOAD = Measure(label="download (gzip -9)", unit="bytes")


def squeeze_contents(report: Report) -> Contents:
    """What the page of a run shows.

    Args:
        report: the evidence.

    Example:
        >>> squeeze_contents(report).title
        'explained on lenet_300_100'
    """
    outcome = report.outcome
    checks = []
    if outcome is not None:
        checks = [*limit_tables(outcome), claims_table(outcome)]
        if outcome.conversion.verification is not None:
            checks += verify_tables(outcome.conversion.verification)
    lines = (*report.failures, *for_now(report)) if not report.passed else ()
    return Contents(
        title=f"{report.recipe['name']} on {report.model.name}",
        about=f"{report.seconds:,.0f} s in all, on {report.machine.cpu}",
        verdict=Verdict(passed=report.passed, lines=lines),
        summary=summary_table(report, remarks(report)) if outcome is not None else None,
        front=_front(report),
        steps=_steps(report),
        tensors=() if outcome is None else paired(report.baseline.tensors, outcome.tensors),
        operators=None
        if outcome is None or outcome.operators is None
        else shown_operators(outcome.operators),
        refusals=_refusals(report),
        checks=tuple(checks),
        recipe=dump_recipe(Recipe.model_validate(report.recipe)),
        machine=report.machine.facts,
        data=data_facts(report.data),
        versions=tuple((name, version) for name, version in report.packages.items() if version),
        commands=_commands(report),
    )


def paired(before: Sequence[TensorBytes], after: Sequence[TensorBytes]) -> tuple[Tensor, ...]:
    """The weights of two files side by side, matched by name.

    Args:
        before: those of the unchanged file.
        after: those of the result.

    Returns:
        One row for each name, the largest first; several tensors of one name are added up.

    Example:
        >>> paired(tensor_bytes(float32), tensor_bytes(int8))[0].after
        235200
    """
    sides = [_by_name(before), _by_name(after)]
    names = dict.fromkeys(name for side in sides for name in side)
    rows = []
    for name in names:
        (size, form), (new_size, new_form) = (side.get(name, (None, "")) for side in sides)
        rows.append(Tensor(name=name, before=size, after=new_size,
                           stored_before=form, stored_after=new_form))  # fmt: skip
    return tuple(sorted(rows, key=lambda row: -max(row.before or 0, row.after or 0)))


def _by_name(tensors: Sequence[TensorBytes]) -> dict[str, tuple[int, str]]:
    """Bytes and form by name."""
    found: dict[str, tuple[int, str]] = {}
    for one in tensors:
        form = f"{one.dtype}, sparse" if one.sparse else one.dtype
        name = first_name(one.tensor)
        found[name] = (found.get(name, (0, ""))[0] + one.bytes, form)
    return found


def data_facts(data: Mapping[str, Any]) -> Facts:
    """What a record says of its data, line by line.

    Args:
        data: as `Data.describe` returns it; empty without data.

    Example:
        >>> data_facts({})
        ()
    """
    if not data:
        return ()
    parts = ", ".join(
        f"{part} {count:,}" if count is not None else f"{part} of unknown length"
        for part, count in data["examples"].items()
    )
    inputs = ", ".join(
        f"{name} {'x'.join('?' if size is None else str(size) for size in spec['shape'])} "
        f"{spec['dtype']}"
        for name, spec in data["inputs"].items()
    )
    facts = {
        "source": str(data["source"]),
        "examples": parts,
        "inputs": inputs,
        "labels": "yes" if data["labelled"] else "none",
        "classes": ", ".join(data["class_names"]),
        "preprocessing": _flow(data["preprocessing"]),
        "notes": "; ".join(data["notes"]),
    }
    return tuple((label, text) for label, text in facts.items() if text)


def _flow(values: Mapping[str, Any]) -> str:
    """Settings on one line, as YAML; "" for none."""
    if not values:
        return ""
    text: str = yaml.safe_dump(dict(values), default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _quality(report: Report) -> Measure:
    """What the quality of the Keras model is measured by."""
    if report.baseline.metric == "accuracy":
        return Measure(label="accuracy of the model", unit="share", better="more")
    return Measure(label=f"{report.baseline.metric} of the model")


def _steps(report: Report) -> Steps:
    base = report.baseline
    steps = [_step("float32", base.quality, base.plain), _step("as converted", None, base.start)]
    steps += [
        _step(f"{one.number} {one.technique}", one.after, one.file, kept=one.status == "done")
        for one in report.steps
    ]
    return Steps(quality=_quality(report), steps=tuple(steps), table=steps_table(report))


def _step(name: str, quality: float | None, file: Footprint | None, *, kept: bool = True) -> Step:
    if file is None:
        return Step(name=name, quality=quality, kept=kept)
    return Step(name=name, quality=quality, raw_bytes=file.raw_bytes,
                download_bytes=file.download_bytes, kept=kept)  # fmt: skip


def _front(report: Report) -> Front | None:
    """The model after each step; None without labels or any step with a file."""
    base = report.baseline
    steps = [step for step in report.steps if step.file is not None and step.after is not None]
    if base.quality is None or not steps:
        return None
    kept = [step for step in steps if step.status == "done"]
    points = [
        Point(name=name, x=file.download_bytes, y=base.quality, kind="given",
              details=_details(file))
        for name, file in (("float32", base.plain), ("as converted", base.start))
    ]  # fmt: skip
    for step in steps:
        kind: Kind = "tried" if step.status == "done" else "rejected"
        if kept and step is kept[-1] and report.outcome is not None:
            kind = "result" if report.passed else "rejected"
        points.append(_point(step, kind))
    return Front(
        x=_DOWNLOAD,
        y=_quality(report),
        points=tuple(points),
        note="Quality is that of the Keras model on the validation part.",
    )


def _point(step: StepReport, kind: Kind) -> Point:
    assert step.file is not None
    assert step.after is not None
    ran = RecipeStep.model_validate(step.settings)
    settings = ran.model_dump(mode="json", exclude_defaults=True, exclude={"on_refusal"})
    status = ("status", f"{step.status}: {'; '.join(step.reasons)}".removesuffix(": "))
    return Point(
        name=f"{step.number} {step.technique}",
        x=step.file.download_bytes,
        y=step.after,
        kind=kind,
        recipe=yaml.safe_dump(settings, sort_keys=False).strip(),
        details=(status, *_details(step.file), ("time", f"{step.seconds:,.1f} s")),
    )


def _details(file: Footprint) -> Facts:
    return (
        ("file", f"{file.raw_bytes:,} bytes"),
        ("download", f"{file.download_bytes:,} bytes"),
        ("parameters not 0", f"{file.nonzeros:,} of {file.parameters:,}"),
        ("distinct values", f"{file.distinct:,}"),
        ("multiply-accumulates", f"{file.macs:,}"),
    )


def _refusals(report: Report) -> tuple[Refusal, ...]:
    """Steps that were not kept; layers that a technique left as they are, by reason."""
    refusals = []
    for step in report.steps:
        name = f"step {step.number}, {step.technique}"
        refusals += [Refusal(what=name, reason=f"softened: {line}") for line in step.softened]
        if step.status != "done":
            refusals.append(Refusal(what=name, reason=f"{step.status}: {'; '.join(step.reasons)}"))
        layers: dict[tuple[str, str], list[str]] = {}
        for one in (step.record or {}).get("skipped", ()):
            layers.setdefault((one["layer_type"], one["reason"]), []).append(one["layer"])
        for (layer_type, reason), names in layers.items():
            what = f"{name}: {layer_type} {listed(tuple(dict.fromkeys(names)))}"
            refusals.append(Refusal(what=what, reason=reason))
    return tuple(refusals)


def _commands(report: Report) -> tuple[str, ...]:
    """What runs the recipe that lies beside the page again."""
    words = ["tflite-squeeze", "squeeze", report.model.path or f"{report.model.name}.keras",
             "--recipe", "recipe.yaml"]  # fmt: skip
    if report.data:
        words += ["--data", str(report.data["source"])]
    return (f"{shlex.join(words)} -o again",)
