"""The README beside the generated code: what is there, and what to do with it."""

from tflite_squeeze.microcontrollers.export.golden import MicroGolden
from tflite_squeeze.microcontrollers.export.plan import MicroPlan, filled

_README = """
# @name@ on a microcontroller

Made by `tflite-squeeze export micro` from the model with SHA-256 `@sha256@`.

| file | what it is |
|---|---|
| `@name@.h` | sizes, scales, zero points; `init_@name@`, `run_@name@`, `reset_@name@` |
| `@name@.@cpp@` | these functions on TensorFlow Lite for Microcontrollers (TFLM) |
| `@name@_data.c`, `.h` | the model: @flash@ bytes, `const` and aligned to 16 |
| `@name@_golden.c`, `.h` | @cases@ golden vectors and `selftest_@name@`: not for the product |
| `@main@` | an example that runs the self-test, then the model |

## What it takes

- Flash: @flash@ bytes for the model, and TFLM with the kernels of @kinds@ kinds of operators; the
  golden vectors take @golden@ more.
- RAM: an arena of @arena@ bytes (`@PREFIX@_ARENA_BYTES`). TFLM @tflm@ needed
  @used@ on a 64-bit machine with its reference kernels. Pointers of 4 bytes need less; kernels
  of CMSIS-NN, ESP-NN and the like may need more for scratch: `arena_used_@name@()` tells, and
  `-D@PREFIX@_ARENA_BYTES=...` sets another size.

## What to do

@steps@

`selftest_@name@()` returns 0 where every output is right: integers to one step, reals to the
tolerances in `@name@_golden.h`. Expected are the answers of TFLM's reference kernels.
@state@@dull@
## Inputs and outputs

@tensors@
"""

_STEPS = """
1. Build TFLM for the board and add these files to the build. Include paths: this folder, TFLM's
   root, and those of its flatbuffers, gemmlowp and ruy.
2. C++17; TFLM itself is built with `-fno-exceptions -fno-rtti -fno-threadsafe-statics`.
3. Run `main.c` on the board, then call `init_@name@` once and `run_@name@` where the answers
   are needed.
"""

_ARDUINO_STEPS = """
1. Install the library TensorFlowLite for Arduino (Tools → Manage Libraries, or as a .zip).
2. Open `@name@.ino`: the folder of a sketch has its name. Choose the board, upload, and read the
   self-test's result in the Serial Monitor at 115200 baud.
3. Put the sensor's values in place of the golden vector.
"""


_DULL = """
Every output of the golden vectors is the same: made-up inputs never rouse this model. The self-test
shows that it runs, and little more; put recordings of your own in their place.
"""


def readme(plan: MicroPlan, golden: MicroGolden) -> str:
    """`README.md`."""
    tensors = [f"- `{tensor.name}`: {tensor.described}" for tensor in (*plan.inputs, *plan.outputs)]
    state = (
        f"\nThe model goes on from run to run: `reset_{plan.name}()` makes it forget. The golden "
        f"vectors are one stream.\n"
    )
    return filled(
        _README,
        steps=(_ARDUINO_STEPS if plan.arduino else _STEPS).strip("\n"),
        tensors="\n".join(tensors),
        dull="" if golden.tells else _DULL,
        state=state if plan.stateful else "",
        main=f"{plan.name}.ino" if plan.arduino else "main.c",
        cpp=plan.cpp,
        kinds=len(plan.operators),
        flash=f"{plan.flash_bytes:,}",
        arena=f"{plan.arena_bytes:,}",
        used=f"{plan.used_bytes:,}",
        cases=golden.cases,
        golden=f"{golden.n_bytes:,}",
        tflm=plan.tflm,
        sha256=plan.sha256,
        name=plan.name,
        PREFIX=plan.prefix,
    )
