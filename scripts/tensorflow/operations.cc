// What lies between the products of a decoder, each in one pass over memory where TensorFlow's own operations take three to eight. What they compute is
// said in services/model/kernels/native/, where the same stands composed of those.
#include "operation.h"
#include "rows.h"

namespace {

// x / rms(x) * weight, of each group of as many values as the weight has.
FOR_EACH_PROCESSOR
void rms_norm(const Values& v, const Parameter& eps) {
  const int64_t size = v.second;
  const float* weight = v.in[1];
  for (int64_t at = 0; at < v.count; at += size) {
    const float* x = v.in[0] + at;
    float* y = v.out[0] + at;
    const float inverse = 1.0f / std::sqrt(sum(size, [=](int64_t i) { return x[i] * x[i]; }) / size + eps.number);
    for (int64_t i = 0; i < size; i++) y[i] = x[i] * inverse * weight[i];
  }
}

// Its gradient for x, from that of the result.
FOR_EACH_PROCESSOR
void rms_norm_gradient(const Values& v, const Parameter& eps) {
  const int64_t size = v.second;
  const float* weight = v.in[1];
  for (int64_t at = 0; at < v.count; at += size) {
    const float* dy = v.in[0] + at;
    const float* x = v.in[2] + at;
    float* dx = v.out[0] + at;
    const float inverse = 1.0f / std::sqrt(sum(size, [=](int64_t i) { return x[i] * x[i]; }) / size + eps.number);
    const float pull = sum(size, [=](int64_t i) { return dy[i] * weight[i] * x[i]; }) / size * inverse * inverse;
    for (int64_t i = 0; i < size; i++) dx[i] = (dy[i] * weight[i] - x[i] * pull) * inverse;
  }
}

// Turns each head by the angles of its row: the table holds, per row, the cosines and then the sines of half a head.
FOR_EACH_PROCESSOR
void rotate(const Values& v, const Parameter& head) {
  const int64_t half = head.integer / 2;
  for (int64_t row = 0; row * v.width < v.count; row++) {
    const float* cosines = v.in[1] + row * 2 * half;
    const float* sines = cosines + half;
    for (int64_t at = row * v.width; at < (row + 1) * v.width; at += 2 * half) {
      const float* low = v.in[0] + at;
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
void swiglu(const Values& v, const Parameter&) {
  const float* gate = v.in[0];
  const float* up = v.in[1];
  float* out = v.out[0];
  for (int64_t i = 0; i < v.count; i++) out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

// Gradients of gate and up, from that of the result.
FOR_EACH_PROCESSOR
void swiglu_gradient(const Values& v, const Parameter&) {
  const float* gate = v.in[0];
  const float* up = v.in[1];
  const float* dy = v.in[2];
  float* d_gate = v.out[0];
  float* d_up = v.out[1];
  for (int64_t i = 0; i < v.count; i++) {
    const float s = sigmoid(gate[i]);
    const float silu = gate[i] * s;
    d_gate[i] = dy[i] * up[i] * (s + silu * (1.0f - s));
    d_up[i] = dy[i] * silu;
  }
}

// Softmax of each row. Rows are queries: the last one of every `queries` sees all keys, the one before it one less.
FOR_EACH_PROCESSOR
void causal_softmax(const Values& v, const Parameter& queries) {
  for (int64_t at = 0, row = 0; at < v.count; at += v.width, row++) {
    const int64_t seen = v.width - queries.integer + 1 + row % queries.integer;
    const float* scores = v.in[0] + at;
    float* out = v.out[0] + at;
    float highest = scores[0];
    for (int64_t i = 1; i < seen; i++) highest = scores[i] > highest ? scores[i] : highest;
    for (int64_t i = 0; i < seen; i++) out[i] = exponential(scores[i] - highest);
    const float inverse = 1.0f / sum(seen, [=](int64_t i) { return out[i]; });
    for (int64_t i = 0; i < seen; i++) out[i] *= inverse;
    for (int64_t i = seen; i < v.width; i++) out[i] = 0.0f;
  }
}

// Gradient of the scores, from the softmax and its gradient.
FOR_EACH_PROCESSOR
void softmax_gradient(const Values& v, const Parameter&) {
  for (int64_t at = 0; at < v.count; at += v.width) {
    const float* weights = v.in[0] + at;
    const float* d_weights = v.in[1] + at;
    float* out = v.out[0] + at;
    const float mean = sum(v.width, [=](int64_t i) { return weights[i] * d_weights[i]; });
    for (int64_t i = 0; i < v.width; i++) out[i] = weights[i] * (d_weights[i] - mean);
  }
}

__attribute__((constructor)) void define_all() {
  define({"TandemRmsNorm", 2, 1, "eps: float", rms_norm, Size::group});
  define({"TandemRmsNormGrad", 3, 1, "eps: float", rms_norm_gradient, Size::group});
  define({"TandemRotate", 2, 1, "head: int", rotate, Size::head});
  define({"TandemSwiglu", 2, 1, nullptr, swiglu});
  define({"TandemSwigluGrad", 3, 2, nullptr, swiglu_gradient});
  define({"TandemCausalSoftmax", 1, 1, "queries: int", causal_softmax});
  define({"TandemSoftmaxGrad", 2, 1, nullptr, softmax_gradient});
}

}  // namespace
