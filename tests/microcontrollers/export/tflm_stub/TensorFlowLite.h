// A stand-in for the header of the Arduino library, and for what Arduino's tools put before a
// sketch.
#ifndef STUB_TENSORFLOWLITE_H_
#define STUB_TENSORFLOWLITE_H_

inline unsigned long micros() { return 0; }
inline void delay(unsigned long) {}

struct StubSerial {
  void begin(long) {}
  template <typename T>
  void print(T) {}
  template <typename T>
  void println(T) {}
};
static StubSerial Serial;

#endif  // STUB_TENSORFLOWLITE_H_
