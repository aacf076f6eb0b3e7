// Threads that share the work of an operation.
#pragma once
#include <cstdint>
#include <functional>

// How many compute, the caller among them: TANDEM_TF_THREADS, which native-engine.ts sets.
int worker_count();

// Calls work(chunk) for every chunk, on all threads, and returns when all are done. `worth_waking`: also sleeping ones are asked, which takes the caller
// some 50 microseconds; those that look for work take part in any case.
void in_parallel(int chunks, bool worth_waking, const std::function<void(int)>& work);
