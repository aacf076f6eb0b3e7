// Sums and functions over rows of floats that compilers turn into vector instructions, in a fixed order.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

// Compiled for each kind of processor; the one at hand is chosen when the addon is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

// Sums that run side by side.
constexpr int64_t LANES = 16;

// term(i), added up.
template <typename Term>
inline __attribute__((always_inline)) float sum(int64_t count, Term term) {
  float lanes[LANES] = {};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int64_t lane = 0; lane < LANES; lane++) lanes[lane] += term(i + lane);
  }
  float total = 0;
  for (float lane : lanes) total += lane;
  for (; i < count; i++) total += term(i);
  return total;
}

// The largest of so many values, one at the least.
inline __attribute__((always_inline)) float largest(int64_t count, const float* values) {
  float lanes[LANES];
  for (float& lane : lanes) lane = values[0];
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int64_t lane = 0; lane < LANES; lane++) lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  }
  float most = lanes[0];
  for (float lane : lanes) most = lane > most ? lane : most;
  for (; i < count; i++) most = values[i] > most ? values[i] : most;
  return most;
}

// e^x to two units in the last place, for x below 88; NaN stays. The polynomial is that of Cephes (S. L. Moshier, expf).
inline __attribute__((always_inline)) float exponential(float x) {
  const float low = x < -87.0f ? -87.0f : x;
  const float within = low > 88.0f ? 88.0f : low;
  // Adding 1.5 * 2^23 rounds to a whole number, as there are no bits for the rest.
  const float rounder = 12582912.0f;
  const float power = (within * 1.44269504f + rounder) - rounder;
  const float rest = (within - power * 0.693359375f) + power * 2.12194440e-4f;
  float value = 1.9875691500e-4f;
  value = value * rest + 1.3981999507e-3f;
  value = value * rest + 8.3334519073e-3f;
  value = value * rest + 4.1665795894e-2f;
  value = value * rest + 1.6666665459e-1f;
  value = value * rest + 5.0000001201e-1f;
  value = value * rest * rest + rest + 1.0f;
  const int32_t bits = (static_cast<int32_t>(power) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return value * scale;
}
