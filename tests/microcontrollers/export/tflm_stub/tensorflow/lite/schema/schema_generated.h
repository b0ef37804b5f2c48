// A stand-in for TFLM's header of this name: it checks that the array is a .tflite file.
#ifndef STUB_SCHEMA_GENERATED_H_
#define STUB_SCHEMA_GENERATED_H_

namespace tflite {

class Model {
 public:
  // Bytes 4 to 7 of a .tflite file say TFL3.
  unsigned int version() const { return bytes_[4] == 'T' && bytes_[7] == '3' ? 3 : 0; }

 private:
  char bytes_[8];
};

inline const Model* GetModel(const void* data) { return static_cast<const Model*>(data); }

}  // namespace tflite

#endif  // STUB_SCHEMA_GENERATED_H_
