/* The least that starts a program on a Cortex-M4 that QEMU emulates (machine mps2-an386). The C
   library's own start-up code does the rest, and talks to the host by semihosting. */
#include <stdint.h>

extern uint32_t stack_top;
void _start(void);

#define CPACR (*(volatile uint32_t*)0xE000ED88u)

static void Reset(void) {
  CPACR |= 0xFu << 20; /* floating point */
  __asm volatile("dsb\n isb");
  _start();
  for (;;) {
  }
}

static void Fault(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void* const vectors[16] = {
    &stack_top, (void*)Reset, (void*)Fault, (void*)Fault, (void*)Fault, (void*)Fault, (void*)Fault,
};
