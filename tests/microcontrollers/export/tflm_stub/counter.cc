// The model of tests/runtime/runtime_files.counter_file: y = v = v + x, with v from 10 on. TFLM's
// own reset makes v 0, as its interpreter does.
#include <stdio.h>

#include "dense_golden.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

static float v = 0;

extern "C" {

extern const size_t stub_inputs = 1, stub_outputs = 1;
extern const size_t stub_input_bytes[] = {4}, stub_output_bytes[] = {4};

void stub_begin(void) { v = 10; }
void stub_reset(void) { v = 0; }

void stub_model(void* const* inputs, void* const* outputs) {
  v += *static_cast<float*>(inputs[0]);
  *static_cast<float*>(outputs[0]) = v;
}

}  // extern "C"

// Both self-tests begin in the initial state, and so does a run after a reset.
int main() {
  const float one = 1;
  float y = 0;
  printf("%d ", selftest_dense());
  printf("%d ", selftest_dense());
  reset_dense();
  run_dense(&one, &y);
  printf("%g ", (double)y);
  run_dense(&one, &y);
  printf("%g\n", (double)y);
  return 0;
}
