"""Golden vectors: made-up inputs, and what TFLM's own interpreter answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers.export.names import number, number_lines
from tflite_squeeze.microcontrollers.export.plan import MicroPlan, filled
from tflite_squeeze.microcontrollers.export.tensors import CTensor

Array = NDArray[Any]

_MOST_CASES = 4
_MOST_BYTES = 64 * 1024

_HEADER = """
/* Golden vectors of @name@: @cases@ cases, one after the other from the initial state@stream@.
   They take @bytes@ bytes of flash, if the self-test is linked in. */
#ifndef @PREFIX@_GOLDEN_H_
#define @PREFIX@_GOLDEN_H_

#include "@name@.h"

#ifdef __cplusplus
extern "C" {
#endif

#define @PREFIX@_GOLDEN_CASES @cases@
/* How far outputs may be off: integers in steps, reals as they are. */
@tolerances@

@declarations@

/* Runs all cases. Returns 0 if all outputs are right, the number of the first wrong case from 1
   on, or minus what init_@name@ or run_@name@ returned. */
int selftest_@name@(void);

#ifdef __cplusplus
}
#endif

#endif /* @PREFIX@_GOLDEN_H_ */
"""

_SOURCE = """
#include "@name@_golden.h"

@arrays@

@buffers@

int selftest_@name@(void) {
  int status = init_@name@();
  if (status != @PREFIX@_OK) return -status;
  for (int at = 0; at < @PREFIX@_GOLDEN_CASES; ++at) {
    status = run_@name@(@arguments@);
    if (status != @PREFIX@_OK) return -status;
@compare@
  }
  return 0;
}
"""

_COMPARE = """
    for (int i = 0; i < @ROLE@_SIZE; ++i) {
      const double off = (double)@buffer@[i] - (double)@golden@[at][i];
      /* Written so that NaN is wrong too. */
      if (!(off <= @ROLE@_TOLERANCE && off >= -@ROLE@_TOLERANCE)) return at + 1;
    }
"""


@dataclass(frozen=True, kw_only=True)
class MicroGolden:
    """Golden vectors.

    Attributes:
        inputs: by input (cases, *the tensor's shape); outputs: by output, the same way.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Array]

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return len(self.outputs[0])

    @property
    def n_bytes(self) -> int:
        """What they take in flash."""
        return sum(array.nbytes for array in (*self.inputs, *self.outputs))

    @property
    def tells(self) -> bool:
        """Whether the outputs hold more than one value; else a broken model may pass too."""
        return any(bool(np.any(array != array.flat[0])) for array in self.outputs)


def golden_cases(tensors: Sequence[CTensor]) -> int:
    """How many cases fit: up to 4, in 64 KiB, one at least.

    Args:
        tensors: the inputs and outputs.
    """
    a_case = sum(tensor.n_bytes for tensor in tensors)
    return max(1, min(_MOST_CASES, _MOST_BYTES // max(a_case, 1)))


def check_golden(golden: MicroGolden) -> None:
    """Refuses answers that no test can compare.

    Raises:
        UnsupportedError: an output is not finite.
    """
    if not all(np.all(np.isfinite(array)) for array in golden.outputs):
        raise UnsupportedError(
            "this file answers made-up inputs with NaN or infinity, which golden vectors cannot "
            "check: tflite-squeeze verify MODEL FILE.tflite tells where they come from"
        )


def golden_header(plan: MicroPlan, golden: MicroGolden) -> str:
    """`<name>_golden.h`: declares the vectors and the self-test."""
    tolerances = [
        f"#define {plan.prefix}_{tensor.role}_TOLERANCE "
        f"{number(np.float32(tensor.tolerance(float(np.max(np.abs(values.astype(np.float64)))))))}"
        for tensor, values in zip(plan.outputs, golden.outputs, strict=True)
    ]
    declared = [f"extern {_declared(plan, tensor)};" for tensor in (*plan.inputs, *plan.outputs)]
    return filled(
        _HEADER,
        cases=golden.cases,
        bytes=golden.n_bytes,
        stream=", as one stream" if plan.stateful else "",
        tolerances="\n".join(tolerances),
        declarations="\n".join(declared),
        name=plan.name,
        PREFIX=plan.prefix,
    )


def golden_source(plan: MicroPlan, golden: MicroGolden) -> str:
    """`<name>_golden.c`: the vectors, and the self-test that replays them."""
    values: Mapping[str, Array] = dict(
        zip(
            (tensor.role for tensor in (*plan.inputs, *plan.outputs)),
            (*golden.inputs, *golden.outputs),
            strict=True,
        )
    )
    arrays = [
        f"const {_declared(plan, tensor, const=False)} = {{\n{_cases(values[tensor.role])}\n}};"
        for tensor in (*plan.inputs, *plan.outputs)
    ]
    buffers = [
        f"static {tensor.c_type} {_buffer(tensor)}[{plan.prefix}_{tensor.role}_SIZE];"
        for tensor in plan.outputs
    ]
    arguments = [f"{_golden(plan, tensor)}[at]" for tensor in plan.inputs]
    arguments += [_buffer(tensor) for tensor in plan.outputs]
    return filled(
        _SOURCE,
        arrays="\n".join(arrays),
        buffers="\n".join(buffers),
        arguments=", ".join(arguments),
        compare="\n".join(_comparison(plan, tensor) for tensor in plan.outputs),
        name=plan.name,
        PREFIX=plan.prefix,
    )


def _comparison(plan: MicroPlan, tensor: CTensor) -> str:
    return filled(
        _COMPARE,
        ROLE=f"{plan.prefix}_{tensor.role}",
        buffer=_buffer(tensor),
        golden=_golden(plan, tensor),
    ).rstrip("\n")


def _cases(values: Array) -> str:
    """All cases of one tensor, each in braces of its own."""
    return "\n".join(f"  {{\n{number_lines(case)}\n  }}," for case in values)


def _declared(plan: MicroPlan, tensor: CTensor, *, const: bool = True) -> str:
    size = f"{plan.prefix}_{tensor.role}_SIZE"
    name = f"{_golden(plan, tensor)}[{plan.prefix}_GOLDEN_CASES][{size}]"
    return f"{'const ' if const else ''}{tensor.c_type} {name}"


def _golden(plan: MicroPlan, tensor: CTensor) -> str:
    return f"{plan.name}_golden_{tensor.role.lower()}"


def _buffer(tensor: CTensor) -> str:
    return f"got_{tensor.role.lower()}"
