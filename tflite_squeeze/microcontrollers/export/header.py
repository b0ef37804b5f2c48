"""The generated header and array: what an application includes, and the model itself."""

from tflite_squeeze.microcontrollers.export.names import byte_lines
from tflite_squeeze.microcontrollers.export.plan import MicroPlan, filled
from tflite_squeeze.microcontrollers.export.tensors import macros

_HEADER = """
/* Made by tflite-squeeze export micro. SHA-256 of the model:
   @sha256@ */
#ifndef @PREFIX@_H_
#define @PREFIX@_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @PREFIX@_SHA256 "@sha256@"
#define @PREFIX@_MODEL_BYTES @flash@
/* TFLM @tflm@ needs @used@ bytes on a 64-bit machine with its reference kernels; 32-bit
   targets need less, optimised kernels may need more for scratch buffers. */
#ifndef @PREFIX@_ARENA_BYTES
#define @PREFIX@_ARENA_BYTES @arena@
#endif

@tensors@

/* What the functions below return. */
enum {
  @PREFIX@_OK = 0,
  @PREFIX@_BAD_MODEL = 1,      /* the array is damaged, or of another schema version */
  @PREFIX@_NO_OPERATOR = 2,    /* an operator could not be registered */
  @PREFIX@_ARENA_TOO_SMALL = 3, /* raise @PREFIX@_ARENA_BYTES */
  @PREFIX@_NOT_READY = 4,      /* init_@name@ was not called, or failed */
  @PREFIX@_FAILED = 5          /* the interpreter failed */
};

/* Prepares the interpreter; call it before all else. Called again, it resets. */
int init_@name@(void);

/* Runs the model once on whole tensors@stateful@. */
int run_@name@(@parameters@);

/* Forgets what earlier runs left behind. */
int reset_@name@(void);

/* Bytes of the arena in use; 0 before init_@name@. */
size_t arena_used_@name@(void);

#ifdef __cplusplus
}
#endif

#endif /* @PREFIX@_H_ */
"""

_DATA_HEADER = """
/* The model as an array: @flash@ bytes, SHA-256
   @sha256@ */
#ifndef @PREFIX@_DATA_H_
#define @PREFIX@_DATA_H_

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char @name@_data[@flash@];
extern const unsigned int @name@_data_bytes;

#ifdef __cplusplus
}
#endif

#endif /* @PREFIX@_DATA_H_ */
"""

_DATA = """
#include "@name@_data.h"

/* TFLM reads weights in place, where its kernels expect them on multiples of 16. */
#if defined(__GNUC__) || defined(__clang__)
#define @PREFIX@_ALIGNED __attribute__((aligned(16)))
#elif defined(__ICCARM__) || defined(_MSC_VER)
#define @PREFIX@_ALIGNED
#pragma data_alignment = 16
#else
#define @PREFIX@_ALIGNED _Alignas(16)
#endif

const unsigned char @name@_data[@flash@] @PREFIX@_ALIGNED = {
@bytes@
};
const unsigned int @name@_data_bytes = @flash@;
"""


def header(plan: MicroPlan) -> str:
    """`<name>.h`: sizes, shapes, scales, and the functions to call."""
    tensors = ["\n".join(macros(plan.prefix, tensor)) for tensor in (*plan.inputs, *plan.outputs)]
    return filled(
        _HEADER,
        tensors="\n\n".join(tensors),
        parameters=plan.parameters,
        stateful="; it goes on from the last run's state" if plan.stateful else "",
        arena=plan.arena_bytes,
        used=plan.used_bytes,
        tflm=plan.tflm,
        **_common(plan),
    )


def data_header(plan: MicroPlan) -> str:
    """`<name>_data.h`: declares the array."""
    return filled(_DATA_HEADER, **_common(plan))


def data_source(plan: MicroPlan, tflite: bytes) -> str:
    """`<name>_data.c`: the file's bytes."""
    return filled(_DATA, bytes=byte_lines(tflite), **_common(plan))


def _common(plan: MicroPlan) -> dict[str, object]:
    return {
        "name": plan.name,
        "PREFIX": plan.prefix,
        "sha256": plan.sha256,
        "flash": plan.flash_bytes,
    }
