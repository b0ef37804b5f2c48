// The layer of tests/runtime/runtime_files.int8_dense_file, by hand: y = x w' + b, saturated.
#include <stdint.h>

#include "tensorflow/lite/micro/micro_interpreter.h"

#ifndef STUB_ERROR
#define STUB_ERROR 0
#endif

extern "C" {

extern const size_t stub_inputs = 1, stub_outputs = 1;
extern const size_t stub_input_bytes[] = {16}, stub_output_bytes[] = {8};

void stub_begin(void) {}
void stub_reset(void) {}

void stub_model(void* const* inputs, void* const* outputs) {
  const int8_t* x = static_cast<const int8_t*>(inputs[0]);
  int8_t* y = static_cast<int8_t*>(outputs[0]);
  for (int i = 0; i < 8; ++i) {
    int sum = 8;
    for (int j = 0; j < 16; ++j) sum += x[j] * ((16 * i + j) % 7 - 3);
    sum = sum < -128 ? -128 : sum > 127 ? 127 : sum;
    y[i] = static_cast<int8_t>(sum >= 0 ? sum - STUB_ERROR : sum + STUB_ERROR);
  }
}

}  // extern "C"
