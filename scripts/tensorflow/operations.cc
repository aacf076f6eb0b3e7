// What lies between the products of a decoder, each in one pass over memory where TensorFlow's own operations take three to eight. What they compute is
// said in services/model/kernels/native/, where the same stands composed of those.
#include "operation.h"
#include "rows.h"

namespace {

// x / rms(x) * weight, of each group of as many values as the weight has.
FOR_EACH_PROCESSOR
void rms_norm(const Values& v, const Parameter& eps, int64_t from, int64_t to) {
  const int64_t size = v.in[1].count();
  const float* weight = v.in[1].data;
  for (int64_t at = from * v.in[0].columns; at < to * v.in[0].columns; at += size) {
    const float* x = v.in[0].data + at;
    float* y = v.out[0] + at;
    const float inverse = 1.0f / std::sqrt(sum(size, [=](int64_t i) { return x[i] * x[i]; }) / size + eps.number);
    for (int64_t i = 0; i < size; i++) y[i] = x[i] * inverse * weight[i];
  }
}

// Its gradient for x, from that of the result.
FOR_EACH_PROCESSOR
void rms_norm_gradient(const Values& v, const Parameter& eps, int64_t from, int64_t to) {
  const int64_t size = v.in[1].count();
  const float* weight = v.in[1].data;
  for (int64_t at = from * v.in[0].columns; at < to * v.in[0].columns; at += size) {
    const float* dy = v.in[0].data + at;
    const float* x = v.in[2].data + at;
    float* dx = v.out[0] + at;
    const float inverse = 1.0f / std::sqrt(sum(size, [=](int64_t i) { return x[i] * x[i]; }) / size + eps.number);
    const float pull = sum(size, [=](int64_t i) { return dy[i] * weight[i] * x[i]; }) / size * inverse * inverse;
    for (int64_t i = 0; i < size; i++) dx[i] = (dy[i] * weight[i] - x[i] * pull) * inverse;
  }
}

// Turns each head by the angles of its row: the table holds, per row, the cosines and then the sines of half a head.
FOR_EACH_PROCESSOR
void rotate(const Values& v, const Parameter& head, int64_t from, int64_t to) {
  const int64_t half = head.integer / 2;
  const int64_t width = v.in[0].columns;
  for (int64_t row = from; row < to; row++) {
    const float* cosines = v.in[1].data + row * 2 * half;
    const float* sines = cosines + half;
    for (int64_t at = row * width; at < (row + 1) * width; at += 2 * half) {
      const float* low = v.in[0].data + at;
      const float* high = low + half;
      float* out = v.out[0] + at;
      for (int64_t i = 0; i < half; i++) out[i] = low[i] * cosines[i] - high[i] * sines[i];
      for (int64_t i = 0; i < half; i++) out[half + i] = high[i] * cosines[i] + low[i] * sines[i];
    }
  }
}

inline __attribute__((always_inline)) float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

// silu(gate) * up
FOR_EACH_PROCESSOR
void swiglu(const Values& v, const Parameter&, int64_t from, int64_t to) {
  const float* gate = v.in[0].data;
  const float* up = v.in[1].data;
  float* out = v.out[0];
  for (int64_t i = from * v.in[0].columns; i < to * v.in[0].columns; i++) out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

// Gradients of gate and up, from that of the result.
FOR_EACH_PROCESSOR
void swiglu_gradient(const Values& v, const Parameter&, int64_t from, int64_t to) {
  const float* gate = v.in[0].data;
  const float* up = v.in[1].data;
  const float* dy = v.in[2].data;
  float* d_gate = v.out[0];
  float* d_up = v.out[1];
  for (int64_t i = from * v.in[0].columns; i < to * v.in[0].columns; i++) {
    const float s = sigmoid(gate[i]);
    const float silu = gate[i] * s;
    d_gate[i] = dy[i] * up[i] * (s + silu * (1.0f - s));
    d_up[i] = dy[i] * silu;
  }
}

int64_t rows(const Values& v, const Parameter&) { return v.in[0].rows; }
int64_t row_cost(const Values& v, const Parameter&) { return 4 * v.in[0].columns; }
int64_t exponentials_cost(const Values& v, const Parameter&) { return 16 * v.in[0].columns; }

bool alike(const Values& v, const Parameter&) { return v.in[0].count() == v.in[1].count(); }
bool all_alike(const Values& v, const Parameter& parameter) { return alike(v, parameter) && v.in[0].count() == v.in[2].count(); }
bool whole_groups(const Values& v, const Parameter&) { return v.in[1].count() > 0 && v.in[0].columns % v.in[1].count() == 0; }
bool whole_groups_of_both(const Values& v, const Parameter& parameter) { return whole_groups(v, parameter) && v.in[0].count() == v.in[2].count(); }
bool whole_heads(const Values& v, const Parameter& head) {
  return head.integer > 0 && v.in[0].columns % head.integer == 0 && v.in[1].count() == v.in[0].rows * head.integer;
}

__attribute__((constructor)) void define_all() {
  define({"TandemRmsNorm", 2, 1, {LIKE_FIRST}, {"eps: float"}, whole_groups, rows, 1, 1, row_cost, rms_norm});
  define({"TandemRmsNormGrad", 3, 1, {LIKE_FIRST}, {"eps: float"}, whole_groups_of_both, rows, 1, 1, row_cost, rms_norm_gradient});
  define({"TandemRotate", 2, 1, {LIKE_FIRST}, {"head: int"}, whole_heads, rows, 1, 1, row_cost, rotate});
  define({"TandemSwiglu", 2, 1, {LIKE_FIRST}, {}, alike, rows, 1, 1, exponentials_cost, swiglu});
  define({"TandemSwigluGrad", 3, 2, {LIKE_FIRST, LIKE_FIRST}, {}, all_alike, rows, 1, 1, exponentials_cost, swiglu_gradient});
  define_attention();
  define_products();
}

}  // namespace
