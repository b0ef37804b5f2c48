// A stand-in for TFLM's header of this name: what the generated code uses of it, around a model
// that the test writes as a function.
#ifndef STUB_MICRO_INTERPRETER_H_
#define STUB_MICRO_INTERPRETER_H_

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/schema/schema_generated.h"

#define TFLITE_SCHEMA_VERSION (3)

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

union TfLitePtrUnion {
  char* raw;
  void* data;
};

struct TfLiteTensor {
  TfLitePtrUnion data;
  size_t bytes;
};

// The test's model: tensors of these sizes, and what it computes.
extern "C" {
extern const size_t stub_inputs, stub_outputs;
extern const size_t stub_input_bytes[], stub_output_bytes[];
void stub_model(void* const* inputs, void* const* outputs);
void stub_begin(void);  // what a new interpreter begins with
void stub_reset(void);  // what the interpreter's own reset does
}

namespace tflite {

class MicroOpResolver {
 public:
  virtual bool IsFull() const = 0;
};

class MicroAllocator {
 public:
  static MicroAllocator* Create(uint8_t* arena, size_t size) {
    static MicroAllocator allocator;
    allocator.arena_ = arena;
    allocator.size_ = size;
    return &allocator;
  }
  uint8_t* arena_ = nullptr;
  size_t size_ = 0;
};

class MicroResourceVariables;

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena,
                   size_t size, MicroResourceVariables* = nullptr)
      : model_(model), resolver_(resolver), arena_(arena), size_(size) {}
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, MicroAllocator* allocator,
                   MicroResourceVariables* = nullptr)
      : MicroInterpreter(model, resolver, allocator->arena_, allocator->size_) {}

  TfLiteStatus AllocateTensors() {
    if (model_ == nullptr || !resolver_.IsFull()) return kTfLiteError;
    for (size_t i = 0; i < stub_inputs; ++i) Place(&inputs_[i], stub_input_bytes[i]);
    for (size_t i = 0; i < stub_outputs; ++i) Place(&outputs_[i], stub_output_bytes[i]);
    stub_begin();
    return used_ <= size_ ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus Invoke() {
    void* inputs[4];
    void* outputs[4];
    for (size_t i = 0; i < stub_inputs; ++i) inputs[i] = inputs_[i].data.data;
    for (size_t i = 0; i < stub_outputs; ++i) outputs[i] = outputs_[i].data.data;
    stub_model(inputs, outputs);
    return kTfLiteOk;
  }
  TfLiteStatus Reset() {
    stub_reset();
    return kTfLiteOk;
  }
  TfLiteTensor* input(size_t index) { return &inputs_[index]; }
  TfLiteTensor* output(size_t index) { return &outputs_[index]; }
  size_t inputs_size() const { return stub_inputs; }
  size_t outputs_size() const { return stub_outputs; }
  size_t arena_used_bytes() const { return used_; }

 private:
  void Place(TfLiteTensor* tensor, size_t bytes) {
    tensor->data.raw = reinterpret_cast<char*>(arena_) + used_;
    tensor->bytes = bytes;
    used_ += (bytes + 15) / 16 * 16;
  }

  const Model* model_;
  const MicroOpResolver& resolver_;
  uint8_t* arena_;
  size_t size_;
  size_t used_ = 0;
  TfLiteTensor inputs_[4];
  TfLiteTensor outputs_[4];
};

}  // namespace tflite

#endif  // STUB_MICRO_INTERPRETER_H_
