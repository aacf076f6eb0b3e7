// Products of matrices, by OpenBLAS, on the calling thread.
#pragma once
#include <cstdint>

#include "cblas.h"
#include "operation.h"

enum class As { lies, turned };

inline CBLAS_TRANSPOSE transpose(As as) { return as == As::turned ? CblasTrans : CblasNoTrans; }

// A matrix, or a part of one: rows of `stride` values lie one after another.
struct Part {
  const float* data;
  int64_t stride;
};

inline Part whole(const Input& input) { return {input.data, input.columns}; }
inline Part from_row(const Input& input, int64_t row) { return {input.data + row * input.columns, input.columns}; }
inline Part from_column(const Input& input, int64_t column) { return {input.data + column, input.columns}; }

struct Target {
  float* data;
  int64_t stride;
};

struct Size {
  int64_t rows;
  int64_t columns;
  // Terms of a sum.
  int64_t depth;
};

// out = scale * a b + kept * out
inline void multiply(const Size& size, Part a, As a_as, Part b, As b_as, Target out, float scale = 1, float kept = 0) {
  if (size.rows == 0 || size.columns == 0) return;
  scipy_cblas_sgemm(CblasRowMajor, transpose(a_as), transpose(b_as), size.rows, size.columns, size.depth, scale, a.data, a.stride, b.data, b.stride, kept, out.data, out.stride);
}
