// Products with a weight and its adapter, and their gradients. Each goes over its rows once, by OpenBLAS, where TensorFlow takes an operation for each product and each sum.
// Shapes: x [rows, in], W [in, out], or its transpose where the attribute `turned` says so, A [in, rank], B [rank, out].
#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "multiply.h"
#include "workers.h"

namespace {

// OpenBLAS puts a weight in order anew for each chunk, so there are no more than threads, of so many rows at the least.
constexpr int64_t LEAST_ROWS = 32;

int64_t rows(const Values& v, const Parameter&) { return v.in[0].rows; }

template <As AS>
int64_t width(const Values& v) { return AS == As::turned ? v.in[1].rows : v.in[1].columns; }

// Few rows and many columns, as of logits: units are columns of the result, not rows.
template <As AS>
bool is_wide(const Values& v) { return v.in[0].rows < LEAST_ROWS * worker_count() && v.in[0].rows < width<AS>(v); }

template <As AS>
int64_t product_units(const Values& v, const Parameter&) { return is_wide<AS>(v) ? width<AS>(v) : v.in[0].rows; }

// y = x W
template <As AS>
void product(const Values& v, const Parameter&, int64_t from, int64_t to) {
  const auto& [x, w] = std::tie(v.in[0], v.in[1]);
  const int64_t out = width<AS>(v);
  if (is_wide<AS>(v)) {
    return multiply({x.rows, to - from, x.columns}, whole(x), As::lies, AS == As::turned ? from_row(w, from) : from_column(w, from), AS, {v.out[0] + from, out});
  }
  multiply({to - from, out, x.columns}, from_row(x, from), As::lies, whole(w), AS, {v.out[0] + from * out, out});
}

template <As AS>
bool product_fits(const Values& v, const Parameter&) {
  return v.in[0].columns == (AS == As::turned ? v.in[1].columns : v.in[1].rows);
}

// Of a weight, from x and the gradient of y: dW = x^T dy. Units are its rows.
void weight_gradient(const Values& v, const Parameter&, int64_t from, int64_t to) {
  const auto& [x, dy] = std::tie(v.in[0], v.in[1]);
  multiply({to - from, dy.columns, dy.rows}, from_column(x, from), As::turned, whole(dy), As::lies, {v.out[0] + from * dy.columns, dy.columns});
}

bool weight_gradient_fits(const Values& v, const Parameter&) { return v.in[0].rows == v.in[1].rows; }
int64_t columns(const Values& v, const Parameter&) { return v.in[0].columns; }
int64_t weight_gradient_cost(const Values& v, const Parameter&) { return 2 * v.in[1].count(); }

template <As AS>
int64_t product_cost(const Values& v, const Parameter& p) { return 2 * v.in[0].rows * v.in[1].count() / std::max<int64_t>(1, product_units<AS>(v, p)); }

// y = x W + low B and low = scale * input A. The input of the adapter is x, or x after its dropout.
void adapted(const Values& v, const Parameter& p, int64_t from, int64_t to) {
  const auto& [x, w, input, a, b] = v.in;
  const int64_t count = to - from;
  float* y = v.out[0] + from * b.columns;
  float* low = v.out[1] + from * a.columns;
  multiply({count, a.columns, a.rows}, from_row(input, from), As::lies, whole(a), As::lies, {low, a.columns}, p.number);
  multiply({count, b.columns, x.columns}, from_row(x, from), As::lies, whole(w), p.integer ? As::turned : As::lies, {y, b.columns});
  multiply({count, b.columns, b.rows}, {low, b.rows}, As::lies, whole(b), As::lies, {y, b.columns}, 1, 1);
}

bool weight_fits(const Input& w, const Input& a, const Input& b, const Parameter& turned) {
  const auto [in, out] = turned.integer ? std::pair(w.columns, w.rows) : std::pair(w.rows, w.columns);
  return a.rows == in && b.columns == out && a.columns == b.rows;
}

bool adapted_fits(const Values& v, const Parameter& p) {
  const auto& [x, w, input, a, b] = v.in;
  return x.columns == a.rows && input.columns == a.rows && input.rows == x.rows && weight_fits(w, a, b, p);
}

int64_t adapted_cost(const Values& v, const Parameter&) { return 2 * (v.in[1].count() + v.in[3].count() + v.in[4].count()); }

// Rows whose masked part is worked out at once: what is held beside the results stays small.
constexpr int64_t MASKED_ROWS = 32;

// From the gradient of y: that of low, before it was scaled, and dx = dy W^T + mask * (dlow A^T). A mask without values is one of ones.
void adapted_gradient(const Values& v, const Parameter& p, int64_t from, int64_t to) {
  const auto& [dy, w, a, b, mask] = v.in;
  const int64_t in = a.rows;
  const int64_t rank = a.columns;
  float* dx = v.out[0] + from * in;
  float* d_low = v.out[1] + from * rank;
  multiply({to - from, rank, dy.columns}, from_row(dy, from), As::lies, whole(b), As::turned, {d_low, rank}, p.number);
  multiply({to - from, in, dy.columns}, from_row(dy, from), As::lies, whole(w), p.integer ? As::lies : As::turned, {dx, in});
  if (mask.count() == 0) return multiply({to - from, in, rank}, {d_low, rank}, As::lies, whole(a), As::turned, {dx, in}, 1, 1);
  std::vector<float> d_input(MASKED_ROWS * in);
  for (int64_t row = from; row < to; row += MASKED_ROWS) {
    const int64_t count = std::min(MASKED_ROWS, to - row);
    multiply({count, in, rank}, {v.out[1] + row * rank, rank}, As::lies, whole(a), As::turned, {d_input.data(), in});
    const float* kept = mask.data + row * in;
    float* sum = v.out[0] + row * in;
    for (int64_t i = 0; i < count * in; i++) sum[i] += kept[i] * d_input[i];
  }
}

bool adapted_gradient_fits(const Values& v, const Parameter& p) {
  const auto& [dy, w, a, b, mask] = v.in;
  return dy.columns == b.columns && weight_fits(w, a, b, p) && (mask.count() == 0 || mask.count() == dy.rows * a.rows);
}

int64_t adapted_gradient_cost(const Values& v, const Parameter&) { return 2 * (v.in[1].count() + v.in[2].count() + v.in[3].count()); }

// dA = input^T dlow and dB = low^T dy. Units are the rows of dA, then the columns of dB.
void adapter_gradient(const Values& v, const Parameter&, int64_t from, int64_t to) {
  const auto& [input, d_low, low, dy] = std::tie(v.in[0], v.in[1], v.in[2], v.in[3]);
  const int64_t in = input.columns;
  const int64_t rank = low.columns;
  if (from < in) {
    const int64_t end = std::min(to, in);
    multiply({end - from, rank, input.rows}, from_column(input, from), As::turned, whole(d_low), As::lies, {v.out[0] + from * rank, rank});
  }
  if (to > in) {
    const int64_t begin = std::max(from - in, int64_t{0});
    multiply({rank, to - in - begin, dy.rows}, whole(low), As::turned, from_column(dy, begin), As::lies, {v.out[1] + begin, dy.columns});
  }
}

bool adapter_gradient_fits(const Values& v, const Parameter&) {
  const auto& [input, d_low, low, dy] = std::tie(v.in[0], v.in[1], v.in[2], v.in[3]);
  return input.rows == dy.rows && d_low.rows == dy.rows && low.rows == dy.rows && d_low.columns == low.columns;
}

int64_t inputs_and_outputs(const Values& v, const Parameter&) { return v.in[0].columns + v.in[3].columns; }
int64_t adapter_gradient_cost(const Values& v, const Parameter&) { return 2 * v.in[1].count(); }

}  // namespace

void define_products() {
  // Threads are those of in_parallel alone.
  scipy_openblas_set_num_threads(1);
  const Axis rows_of_first = {0, 0};
  define({"TandemProduct", 2, 1, {{rows_of_first, {1, 1}}}, {}, product_fits<As::lies>, product_units<As::lies>, LEAST_ROWS, 1, product_cost<As::lies>, product<As::lies>});
  define({"TandemTurnedProduct", 2, 1, {{rows_of_first, {1, 0}}}, {}, product_fits<As::turned>, product_units<As::turned>, LEAST_ROWS, 1, product_cost<As::turned>, product<As::turned>});
  define({"TandemWeightGrad", 2, 1, {{{0, 1}, {1, 1}}}, {}, weight_gradient_fits, columns, LEAST_ROWS, 1, weight_gradient_cost, weight_gradient});
  define({"TandemAdapted", 5, 2, {{rows_of_first, {4, 1}}, {rows_of_first, {3, 1}}}, {"scale: float", "turned: int"}, adapted_fits, rows, LEAST_ROWS, 1, adapted_cost, adapted});
  define({"TandemAdaptedGrad", 5, 2, {{rows_of_first, {2, 0}}, {rows_of_first, {2, 1}}}, {"scale: float", "turned: int"}, adapted_gradient_fits, rows, LEAST_ROWS, 1, adapted_gradient_cost,
          adapted_gradient});
  define({"TandemAdapterGrad", 4, 2, {{{0, 1}, {1, 1}}, {{2, 1}, {3, 1}}}, {}, adapter_gradient_fits, inputs_and_outputs, LEAST_ROWS, 1, adapter_gradient_cost, adapter_gradient});
}
