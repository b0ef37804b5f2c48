// A stand-in for TFLM's header of this name.
#ifndef STUB_MICRO_ALLOCATOR_H_
#define STUB_MICRO_ALLOCATOR_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

#endif  // STUB_MICRO_ALLOCATOR_H_
