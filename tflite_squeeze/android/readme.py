"""The README of an export for Android."""

from collections.abc import Mapping

from tflite_squeeze.android.android_project import MIN_SDK, dependencies
from tflite_squeeze.android.golden import Golden
from tflite_squeeze.android.interface import AndroidInterface, AndroidTensor, State
from tflite_squeeze.android.kotlin_companion import KotlinClass
from tflite_squeeze.android.kotlin_tensors import shape_text


def readme(
    model: KotlinClass,
    files: Mapping[str, bytes],
    golden: Golden | None,
    notes: tuple[str, ...],
    *,
    real: bool,
) -> str:
    """Writes what to do with the export.

    Args:
        model: the class.
        files: content by path of everything else that is exported.
        golden: the golden vectors; None where no runtime here could compute them.
        notes: what else its user has to know.
        real: whether the inputs of the golden vectors are real samples.

    Returns:
        Markdown.
    """
    parts = [_intro(model, tested=golden is not None), _use(model), _ends(model.interface)]
    parts.append(_files(files))
    if golden is not None:
        parts.append(_vectors(model, golden, "real" if real else "made-up"))
    if notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in notes) + "\n")
    return "\n".join(parts)


def _intro(model: KotlinClass, *, tested: bool) -> str:
    libraries = "".join(f"- `{name}`\n" for name in dependencies(model.interface.runtime))
    copies = "    cp -r assets java APP/src/main/\n"
    test = ""
    if tested:
        copies += "    cp -r androidTest APP/src/\n"
        test = """
On a device or an emulator, `./gradlew connectedDebugAndroidTest` replays the golden vectors.
"""
    return f"""\
# {model.class_name} for Android

Copy into the application's module (`APP`):

{copies}
Take the lines of `build.gradle.kts` over into `APP/build.gradle.kts`. They ask for Android API
level {MIN_SDK} or higher, keep `.tflite` assets uncompressed, and bring

{libraries}{test}
`sha256sum --check SHA256SUMS` tells whether all files arrived whole.
"""


def _use(model: KotlinClass) -> str:
    arguments = ", ".join(one.identifier for one in model.interface.inputs)
    lines = [f"{model.class_name}(context, threads = 2).use {{ model ->"]
    if model.normalized:
        lines.append(f"    // {model.class_name}.normalized(raw) scales raw values first.")
    if model.labelled is not None and model.labelled.array == "FloatArray":
        lines.append(f"    val best = model.classify({arguments}).first()")
    lines.append(f"    val found = model.run({arguments})")
    lines.append("}")
    return "## Use\n\n```kotlin\n" + "\n".join(lines) + "\n```\n"


def _ends(interface: AndroidInterface) -> str:
    rows = [_row("input", one) for one in interface.inputs]
    rows += [_row("output", one) for one in interface.outputs]
    state = {
        State.NONE: "",
        State.CELLS: "\nThe model keeps state. A run starts from zero, as independent samples "
        "need it, unless it is called with `continuing = true`.\n",
        State.VARIABLES: "\nThe model keeps state. A run continues the one before, as a stream "
        "needs it, unless it is called with `continuing = false`.\n",
    }[interface.state]
    return "| | Kotlin | shape | tensor |\n|---|---|---|---|\n" + "\n".join(rows) + "\n" + state


def _row(what: str, one: AndroidTensor) -> str:
    tensor = one.dtype
    if one.quantized:
        tensor += f", scale {one.scale!r}, zero point {one.zero_point}: the class converts"
    return f"| {what} | `{one.identifier}: {one.array}` | {shape_text(one.shape)} | {tensor} |"


def _files(files: Mapping[str, bytes]) -> str:
    rows = [f"| `{name}` | {len(content):,} |" for name, content in files.items()]
    return "| file | bytes |\n|---|---:|\n" + "\n".join(rows) + "\n"


def _vectors(model: KotlinClass, golden: Golden, kind: str) -> str:
    rows = [
        f"| {one.name} | {golden.differences[one.name]:.3g} | {golden.tolerances[one.name]:.3g} |"
        for one in model.interface.outputs
    ]
    return f"""\
## Golden vectors

`androidTest/assets/{model.name}_golden.bin` holds {len(golden.inputs)} {kind} inputs and the
outputs that LiteRT's interpreter found for them where this was written. A device has kernels of its
own: an output may be off by 4 times the difference between XNNPACK's kernels and the built-in ones,
by 2 steps of its quantization, or by 1e-4 of its largest value, whichever is most.

| output | XNNPACK against built-in kernels | tolerance |
|---|---:|---:|
{chr(10).join(rows)}

All numbers are little-endian and follow each other without gaps:

| bytes | what |
|---|---|
| 8 | `TFSQGOLD` |
| 4 + 4 | version (1), number of cases, uint32 |
| 32 | SHA-256 of the model |
| 4 + 4 | number of inputs, number of outputs, uint32 |
| 12 each | of every input, then every output: type (1 float32, 2 int8, 3 uint8, 4 int16, 5 int32, \
6 int64, 7 bool) and number of values, uint32; tolerance, float32 |
| the rest | of every case: the values of all inputs, then of all outputs, as the class takes and \
returns them |
"""
