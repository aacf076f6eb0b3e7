// Compiled into tfjs-node's addon. A signal that is handled while oneDNN inside TensorFlow multiplies can overwrite the heap (seen on x86, in sums of 128
// terms and more). What fits all that was seen: its products move the stack pointer into a heap block meanwhile (xbyak_gemm_t in its
// jit_avx512_common_gemm_f32.cpp), and Linux puts the frame of a signal below it. So the thread that loads the addon, and those of TensorFlow that it
// starts later, take no signals; one more thread, which sleeps, takes them. Handlers of libuv may run on any thread.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <initializer_list>

namespace {

constexpr size_t STACK_BYTES = 256 * 1024;

void* sleep_always(void*) {
  for (;;) pause();
}

// V8's profiler signals the very thread it watches, and asks for a stack of its own (SA_ONSTACK).
bool give_profiler_a_stack() {
  stack_t stack = {};
  stack.ss_size = STACK_BYTES;
  stack.ss_sp = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return stack.ss_sp != MAP_FAILED && sigaltstack(&stack, nullptr) == 0;
}

__attribute__((constructor)) void take_signals_elsewhere() {
  pthread_t sleeper;
  if (pthread_create(&sleeper, nullptr, sleep_always, nullptr) != 0) return;
  pthread_detach(sleeper);
  sigset_t blocked;
  sigfillset(&blocked);
  if (give_profiler_a_stack()) sigdelset(&blocked, SIGPROF);
  // A thread's own errors.
  for (int error : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) sigdelset(&blocked, error);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

}  // namespace
