"""The generated C++: the resolver, the interpreter, and a run on whole tensors."""

from tflite_squeeze.microcontrollers.export.plan import MicroPlan, filled
from tflite_squeeze.microcontrollers.export.tensors import CTensor

_SOURCE = """
// Made by tflite-squeeze export micro: @name@ on TensorFlow Lite for Microcontrollers.
#include "@name@.h"

#include <string.h>

@includes@
#include "@name@_data.h"

namespace {

alignas(16) uint8_t arena[@PREFIX@_ARENA_BYTES];
tflite::MicroMutableOpResolver<@kinds@> resolver;
tflite::MicroInterpreter* interpreter = nullptr;
bool registered = false;
@own@
// Exactly the operators that the model uses, so that no other kernel is linked in.
TfLiteStatus RegisterOperators() {
@register@
  return kTfLiteOk;
}

// Whether the tensors are what the header says.
bool TensorsFit() {
  return interpreter->inputs_size() == @inputs@ && interpreter->outputs_size() == @outputs@@fit@;
}

}  // namespace

extern "C" int init_@name@(void) {
  if (interpreter != nullptr) return reset_@name@();
  const tflite::Model* model = tflite::GetModel(@name@_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) return @PREFIX@_BAD_MODEL;
  if (!registered && RegisterOperators() != kTfLiteOk) return @PREFIX@_NO_OPERATOR;
  registered = true;
@create@
  if (interpreter->AllocateTensors() != kTfLiteOk) {
    interpreter = nullptr;
    return @PREFIX@_ARENA_TOO_SMALL;
  }
  if (!TensorsFit()) {
    interpreter = nullptr;
    return @PREFIX@_BAD_MODEL;
  }
  return @PREFIX@_OK;
}

extern "C" int run_@name@(@parameters@) {
  if (interpreter == nullptr) return @PREFIX@_NOT_READY;
@put@
  if (interpreter->Invoke() != kTfLiteOk) return @PREFIX@_FAILED;
@get@
  return @PREFIX@_OK;
}

extern "C" int reset_@name@(void) {
  if (interpreter == nullptr) return @PREFIX@_NOT_READY;
@reset@
}

extern "C" size_t arena_used_@name@(void) {
  return interpreter == nullptr ? 0 : interpreter->arena_used_bytes();
}
"""

_PLAIN_CREATE = """
  static tflite::MicroInterpreter instance(model, resolver, arena, sizeof(arena));
  interpreter = &instance;
"""

_PLAIN_RESET = """
  return interpreter->Reset() == kTfLiteOk ? @PREFIX@_OK : @PREFIX@_FAILED;
"""

_OWN = """
// The interpreter's own reset zeroes the variables of a model, whatever they began with, and does
// not run CALL_ONCE again. So this one is reset by making it anew in the same place.
struct Interpreter : tflite::MicroInterpreter {
  using tflite::MicroInterpreter::MicroInterpreter;
  static void* operator new(size_t, void* place) { return place; }
  static void operator delete(void*, void*) {}
};
alignas(Interpreter) uint8_t place[sizeof(Interpreter)];
"""

_OWN_CREATE = """
  // The variables that the model keeps from run to run lie in the arena too.
  tflite::MicroAllocator* allocator = tflite::MicroAllocator::Create(arena, sizeof(arena));
  if (allocator == nullptr) return @PREFIX@_ARENA_TOO_SMALL;
  tflite::MicroResourceVariables* variables =
      tflite::MicroResourceVariables::Create(allocator, @resources@);
  if (variables == nullptr) return @PREFIX@_ARENA_TOO_SMALL;
  interpreter = new (place) Interpreter(model, resolver, allocator, variables);
"""

_OWN_RESET = """
  static_cast<Interpreter*>(interpreter)->~Interpreter();
  interpreter = nullptr;
  return init_@name@();
"""


def source(plan: MicroPlan) -> str:
    """`<name>.cc`: the functions that the header declares, on TFLM."""
    return filled(
        _SOURCE,
        includes=_includes(plan),
        kinds=len(plan.operators),
        register="\n".join(
            f"  if (resolver.{item.method}() != kTfLiteOk) return kTfLiteError;"
            for item in plan.operators
        ),
        inputs=len(plan.inputs),
        outputs=len(plan.outputs),
        fit="".join(
            f" &&\n         interpreter->{_place(tensor)}->bytes == {_size(plan, tensor)}"
            for tensor in (*plan.inputs, *plan.outputs)
        ),
        **_life(plan),
        put="\n".join(
            f"  memcpy(interpreter->{_place(tensor)}->data.raw, {tensor.name}, "
            f"{_size(plan, tensor)});"
            for tensor in plan.inputs
        ),
        get="\n".join(
            f"  memcpy({tensor.name}, interpreter->{_place(tensor)}->data.raw, "
            f"{_size(plan, tensor)});"
            for tensor in plan.outputs
        ),
        parameters=plan.parameters,
        name=plan.name,
        PREFIX=plan.prefix,
    )


def _life(plan: MicroPlan) -> dict[str, object]:
    """How the interpreter is made and reset."""
    words = {"resources": plan.resources, "PREFIX": plan.prefix, "name": plan.name}
    kept = bool(plan.resources)
    return {
        "own": f"\n{_OWN.strip()}\n" if kept else "",
        "create": filled(_OWN_CREATE if kept else _PLAIN_CREATE, **words).rstrip("\n"),
        "reset": filled(_OWN_RESET if kept else _PLAIN_RESET, **words).rstrip("\n"),
    }


def _size(plan: MicroPlan, tensor: CTensor) -> str:
    return f"{plan.prefix}_{tensor.role}_BYTES"


def _place(tensor: CTensor) -> str:
    """How the interpreter calls a tensor: input(0)."""
    kind = "input" if tensor.role.startswith("INPUT") else "output"
    return f"{kind}({tensor.role.removeprefix(kind.upper())})"


def _includes(plan: MicroPlan) -> str:
    """TFLM's headers; Arduino finds them through the library's own."""
    micro = ["micro_interpreter", "micro_mutable_op_resolver"]
    if plan.resources:
        micro += ["micro_allocator", "micro_resource_variable"]
    names = [f"tensorflow/lite/micro/{name}.h" for name in sorted(micro)]
    lines = [f'#include "{name}"' for name in [*names, "tensorflow/lite/schema/schema_generated.h"]]
    return "\n".join((["#include <TensorFlowLite.h>"] if plan.arduino else []) + lines)
