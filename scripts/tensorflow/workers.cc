#include "workers.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>

namespace {

// OpenBLAS has room for 128 threads at once.
constexpr int MOST = 128;
// Between two operations of a step lie microseconds; waking a thread takes longer than most of them.
constexpr auto LOOKS_FOR_WORK = std::chrono::microseconds(500);
// Looks between two offers of the core to other threads: JavaScript's is one of them.
constexpr int LOOKS = 64;

void rest() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Read as the addon is loaded: later JavaScript may change its environment while other threads look at it.
const int threads = [] {
  const char* count = std::getenv("TANDEM_TF_THREADS");
  return std::clamp(count == nullptr ? 1 : std::atoi(count), 1, MOST);
}();

// Which operation it is, in the upper half, then how many chunks it has and how many are taken: one number, so that nobody takes a chunk of another operation.
struct Offer {
  uint64_t value;
  uint32_t taken() const { return value & 0xffff; }
  uint32_t chunks() const { return value >> 16 & 0xffff; }
  bool open() const { return taken() < chunks(); }
};

class Workers {
 public:
  explicit Workers(int count) {
    try {
      for (int i = 1; i < count; i++) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      // No more are to be had: those that there are do all there is to do.
    }
  }

  void run(int chunks, bool worth_waking, const std::function<void(int)>& work) {
    work_ = &work;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t operation = (offer_.load(std::memory_order_relaxed) >> 32) + 1;
    offer_.store(operation << 32 | static_cast<uint64_t>(chunks) << 16);
    if (worth_waking && sleeping_.load() > 0) {
      // Who is about to sleep looks once more under this lock.
      std::lock_guard<std::mutex>{mutex_};
      wake_.notify_all();
    }
    while (take()) {
    }
    for (int looks = 0; done_.load(std::memory_order_acquire) < chunks; looks++) {
      rest();
      if (looks % LOOKS == LOOKS - 1) sched_yield();
    }
  }

 private:
  bool take() {
    Offer offer{offer_.load()};
    while (offer.open()) {
      if (!offer_.compare_exchange_weak(offer.value, offer.value + 1)) continue;
      (*work_)(offer.taken());
      done_.fetch_add(1, std::memory_order_release);
      return true;
    }
    return false;
  }

  void serve() {
    for (;;) {
      if (!look_for_work()) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleeping_++;
        wake_.wait(lock, [this] { return Offer{offer_.load()}.open(); });
        sleeping_--;
      }
      while (take()) {
      }
    }
  }

  bool look_for_work() {
    const auto end = std::chrono::steady_clock::now() + LOOKS_FOR_WORK;
    do {
      for (int i = 0; i < LOOKS; i++) {
        if (Offer{offer_.load(std::memory_order_acquire)}.open()) return true;
        rest();
      }
      sched_yield();
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  const std::function<void(int)>* work_ = nullptr;
  std::atomic<uint64_t> offer_{0};
  std::atomic<int> done_{0};
  std::atomic<int> sleeping_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Threads inherit from the one that starts them that they take no signals (signals.cc). They live as long as the process, so they are never put away.
Workers& workers() {
  static Workers* all = new Workers(threads);
  return *all;
}

}  // namespace

int worker_count() { return threads; }

void in_parallel(int chunks, bool worth_waking, const std::function<void(int)>& work) {
  static std::mutex busy;
  std::unique_lock<std::mutex> alone(busy, std::defer_lock);
  if (chunks > 1 && worker_count() > 1 && alone.try_lock()) return workers().run(chunks, worth_waking, work);
  for (int chunk = 0; chunk < chunks; chunk++) work(chunk);
}
