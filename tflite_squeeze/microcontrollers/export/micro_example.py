"""The generated example: a program for a board, as plain C or as an Arduino sketch."""

from tflite_squeeze.microcontrollers.export.plan import MicroPlan, filled
from tflite_squeeze.microcontrollers.export.tensors import CTensor

_MAIN = """
/* Tests @name@ on the device, then runs it once: an example to start from. */
#include <stdio.h>

#include "@name@.h"
#include "@name@_golden.h"

@buffers@

int main(void) {
  const int failed = selftest_@name@();
  if (failed != 0) {
    printf("self-test of @name@ failed: %d\\n", failed);
    return 1;
  }
  printf("self-test of @name@ passed: %d cases, arena %u of %u bytes\\n", @PREFIX@_GOLDEN_CASES,
         (unsigned)arena_used_@name@(), (unsigned)@PREFIX@_ARENA_BYTES);

  if (reset_@name@() != @PREFIX@_OK || run_@name@(@arguments@) != @PREFIX@_OK) {
    printf("run_@name@ failed\\n");
    return 1;
  }
@show@
  return 0;
}
"""

_SKETCH = """
// Tests @name@ on the board, then runs it again and again: an example to start from.
#include <TensorFlowLite.h>

#include "@name@.h"
#include "@name@_golden.h"

@buffers@

void setup() {
  Serial.begin(115200);
  const int failed = selftest_@name@();
  Serial.print("self-test of @name@: ");
  Serial.println(failed);  // 0: all cases are right
}

void loop() {
  const unsigned long begin = micros();
  const int status = run_@name@(@arguments@);
  Serial.print("status ");
  Serial.print(status);
  Serial.print(", microseconds ");
  Serial.println(micros() - begin);
@show@
  delay(1000);
}
"""


def example(plan: MicroPlan) -> str:
    """`main.c`, or the sketch: the self-test, then a run on the first golden vector."""
    buffers = [
        f"static {tensor.c_type} {_buffer(tensor)}[{plan.prefix}_{tensor.role}_SIZE];"
        for tensor in plan.outputs
    ]
    arguments = [f"{plan.name}_golden_{tensor.role.lower()}[0]" for tensor in plan.inputs]
    arguments += [_buffer(tensor) for tensor in plan.outputs]
    show = _printed if plan.arduino else _printf
    return filled(
        _SKETCH if plan.arduino else _MAIN,
        buffers="\n".join(buffers),
        arguments=", ".join(arguments),
        show="\n".join(show(plan, tensor) for tensor in plan.outputs),
        name=plan.name,
        PREFIX=plan.prefix,
    )


def _printf(plan: MicroPlan, tensor: CTensor) -> str:
    return (
        f"  for (int i = 0; i < {plan.prefix}_{tensor.role}_SIZE; ++i) {{\n"
        f'    printf("{tensor.role.lower()}[%d] = %g\\n", i, (double){_real(plan, tensor)});\n'
        f"  }}"
    )


def _printed(plan: MicroPlan, tensor: CTensor) -> str:
    return (
        f"  for (int i = 0; i < {plan.prefix}_{tensor.role}_SIZE; ++i) {{\n"
        f"    Serial.println((float){_real(plan, tensor)});\n"
        f"  }}"
    )


def _real(plan: MicroPlan, tensor: CTensor) -> str:
    """An output's number as the real that it stands for."""
    value, role = f"{_buffer(tensor)}[i]", f"{plan.prefix}_{tensor.role}"
    if not tensor.end.scale:
        return value
    return f"(({value} - {role}_ZERO_POINT) * {role}_SCALE)"


def _buffer(tensor: CTensor) -> str:
    return tensor.role.lower()
