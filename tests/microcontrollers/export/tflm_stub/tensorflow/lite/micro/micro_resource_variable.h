// A stand-in for TFLM's header of this name.
#ifndef STUB_MICRO_RESOURCE_VARIABLE_H_
#define STUB_MICRO_RESOURCE_VARIABLE_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace tflite {

class MicroResourceVariables {
 public:
  static MicroResourceVariables* Create(MicroAllocator*, int) {
    static MicroResourceVariables variables;
    return &variables;
  }
};

}  // namespace tflite

#endif  // STUB_MICRO_RESOURCE_VARIABLE_H_
