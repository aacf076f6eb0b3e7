// Causal attention of packed sequences, and its gradient: keys and values of [rows, heads * width] are read where they lie.
// Queries are taken in blocks, and a block's softmax is all that is held of the square of a sequence: the backward pass computes it again.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "multiply.h"
#include "operation.h"
#include "rows.h"

namespace {

constexpr int64_t BLOCK = 64;

// Softmax of each row of scores, in their place. Rows are consecutive queries: the last one sees all keys, the one before it one less.
FOR_EACH_PROCESSOR
void causal_softmax(float* scores, int64_t queries, int64_t keys) {
  for (int64_t query = 0; query < queries; query++) {
    const int64_t seen = keys - queries + 1 + query;
    float* row = scores + query * keys;
    const float highest = largest(seen, row);
    for (int64_t i = 0; i < seen; i++) row[i] = exponential(row[i] - highest);
    const float inverse = 1.0f / sum(seen, [=](int64_t i) { return row[i]; });
    for (int64_t i = 0; i < seen; i++) row[i] *= inverse;
    for (int64_t i = seen; i < keys; i++) row[i] = 0.0f;
  }
}

// Gradient of the scores, in the place of that of their softmax.
FOR_EACH_PROCESSOR
void softmax_gradient(const float* weights, float* d_weights, int64_t queries, int64_t keys) {
  for (int64_t at = 0; at < queries * keys; at += keys) {
    const float* row = weights + at;
    float* d_row = d_weights + at;
    const float mean = sum(keys, [=](int64_t i) { return row[i] * d_row[i]; });
    for (int64_t i = 0; i < keys; i++) d_row[i] = row[i] * (d_row[i] - mean);
  }
}

// Inputs: queries, keys, values, where each sequence begins and the last one ends (whole numbers, which floats are exact for up to 16 million rows), and in the backward pass the gradient of the result.
struct Packed {
  const Input& q;
  const Input& k;
  const Input& v;
  const Input& bounds;
  int64_t width;
  float scale;
  int64_t sequences() const { return bounds.count() - 1; }
  int64_t group() const { return q.columns / k.columns; }
  int64_t begin(int64_t sequence) const { return static_cast<int64_t>(bounds.data[sequence]); }
};

Packed packed(const Values& v, int64_t width) { return {v.in[0], v.in[1], v.in[2], v.in[3], width, 1.0f / std::sqrt(static_cast<float>(width))}; }

Part head(const Input& rows, int64_t row, int64_t head, int64_t width) { return {rows.data + row * rows.columns + head * width, rows.columns}; }
Target head(float* out, int64_t columns, int64_t row, int64_t head, int64_t width) { return {out + row * columns + head * width, columns}; }

// One head of one sequence: a query head forward, backward a key head with the query heads that share it, whose sums are its gradients.
struct Unit {
  // Of the sequence: its first row, and how many it has.
  int64_t begin;
  int64_t length;
  int64_t head;
};

// Neighbours are of different sequences, so that chunks have about as much to do.
Unit unit_of(const Packed& p, int64_t index) {
  const int64_t sequence = index % p.sequences();
  return {p.begin(sequence), p.begin(sequence + 1) - p.begin(sequence), index / p.sequences()};
}

// Room for a block's softmax, of the longest sequence that there is.
std::vector<float> block_of(const Packed& p) {
  int64_t longest = 0;
  for (int64_t i = 0; i < p.sequences(); i++) longest = std::max(longest, p.begin(i + 1) - p.begin(i));
  return std::vector<float>(std::min(BLOCK, longest) * longest);
}

// Softmax of a block of queries over the keys up to the last one's own.
void weigh(const Packed& p, Part queries, Part keys, int64_t count, int64_t seen, float* weights) {
  multiply({count, seen, p.width}, queries, As::lies, keys, As::turned, {weights, seen}, p.scale);
  causal_softmax(weights, count, seen);
}

void attention(const Values& values, const Parameter& width, int64_t from, int64_t to) {
  const Packed p = packed(values, width.integer);
  std::vector<float> weights = block_of(p);
  for (int64_t index = from; index < to; index++) {
    const Unit unit = unit_of(p, index);
    const Part k = head(p.k, unit.begin, unit.head / p.group(), p.width);
    const Part v = head(p.v, unit.begin, unit.head / p.group(), p.width);
    for (int64_t first = 0; first < unit.length; first += BLOCK) {
      const int64_t last = std::min(unit.length, first + BLOCK);
      weigh(p, head(p.q, unit.begin + first, unit.head, p.width), k, last - first, last, weights.data());
      const Target out = head(values.out[0], p.q.columns, unit.begin + first, unit.head, p.width);
      multiply({last - first, p.width, last}, {weights.data(), last}, As::lies, v, As::lies, out);
    }
  }
}

void attention_gradient(const Values& values, const Parameter& width, int64_t from, int64_t to) {
  const Packed p = packed(values, width.integer);
  std::vector<float> weights = block_of(p);
  std::vector<float> d_weights(weights.size());
  for (int64_t index = from; index < to; index++) {
    const Unit unit = unit_of(p, index);
    const Part k = head(p.k, unit.begin, unit.head, p.width);
    const Part v = head(p.v, unit.begin, unit.head, p.width);
    const Target dk = head(values.out[1], p.k.columns, unit.begin, unit.head, p.width);
    const Target dv = head(values.out[2], p.k.columns, unit.begin, unit.head, p.width);
    for (const Target& sum : {dk, dv}) {
      for (int64_t row = 0; row < unit.length; row++) std::fill_n(sum.data + row * sum.stride, p.width, 0.0f);
    }
    for (int64_t first = 0; first < unit.length; first += BLOCK) {
      const int64_t last = std::min(unit.length, first + BLOCK);
      for (int64_t query_head = unit.head * p.group(); query_head < (unit.head + 1) * p.group(); query_head++) {
        const int64_t count = last - first;
        const Part q = head(p.q, unit.begin + first, query_head, p.width);
        const Part d_out = head(values.in[4], unit.begin + first, query_head, p.width);
        const Target dq = head(values.out[0], p.q.columns, unit.begin + first, query_head, p.width);
        const Part of_scores = {d_weights.data(), last};
        weigh(p, q, k, count, last, weights.data());
        multiply({last, p.width, count}, {weights.data(), last}, As::turned, d_out, As::lies, dv, 1, 1);
        multiply({count, last, p.width}, d_out, As::lies, v, As::turned, {d_weights.data(), last});
        softmax_gradient(weights.data(), d_weights.data(), count, last);
        multiply({count, p.width, last}, of_scores, As::lies, k, As::lies, dq, p.scale);
        multiply({last, p.width, count}, of_scores, As::turned, q, As::lies, dk, p.scale, 1);
      }
    }
  }
}

bool attention_fits(const Values& v, const Parameter& width) {
  const auto& [q, k, values, bounds] = std::tie(v.in[0], v.in[1], v.in[2], v.in[3]);
  const bool heads = width.integer > 0 && k.columns > 0 && k.columns % width.integer == 0 && q.columns % k.columns == 0;
  if (!heads || k.rows != q.rows || values.rows != q.rows || values.columns != k.columns || bounds.count() < 1) return false;
  const float* begins = bounds.data;
  return begins[0] == 0 && begins[bounds.count() - 1] == q.rows && std::is_sorted(begins, begins + bounds.count());
}

bool attention_gradient_fits(const Values& v, const Parameter& width) {
  return attention_fits(v, width) && v.in[4].rows == v.in[0].rows && v.in[4].columns == v.in[0].columns;
}

int64_t sequences(const Values& v) { return v.in[3].count() - 1; }
int64_t query_heads(const Values& v, const Parameter& width) { return v.in[0].columns / width.integer * sequences(v); }
int64_t key_heads(const Values& v, const Parameter& width) { return v.in[1].columns / width.integer * sequences(v); }

// Two products of half of all pairs of a query and a key, of sequences as long as they are on average.
int64_t attention_cost(const Values& v, const Parameter& width) {
  const int64_t length = v.in[0].rows / std::max<int64_t>(1, sequences(v));
  return 2 * length * length * width.integer;
}

int64_t attention_gradient_cost(const Values& v, const Parameter& width) { return 3 * attention_cost(v, width) * v.in[0].columns / v.in[1].columns; }

// Sequences may differ in length, and nothing is read anew for each chunk.
constexpr int64_t CHUNKS = 8;

}  // namespace

void define_attention() {
  define({"TandemAttention", 4, 1, {LIKE_FIRST}, {"width: int"}, attention_fits, query_heads, 1, CHUNKS, attention_cost, attention});
  define({"TandemAttentionGrad", 5, 3, {LIKE_FIRST, {{1, 0}, {1, 1}}, {{2, 0}, {2, 1}}}, {"width: int"}, attention_gradient_fits, key_heads, 1, CHUNKS, attention_gradient_cost,
          attention_gradient});
}
