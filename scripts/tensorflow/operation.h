// Operations of our own for TensorFlow on cores, by its C API: all take and give floats, and every result has the shape of the first input.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

constexpr int MOST_INPUTS = 3;
constexpr int MOST_OUTPUTS = 2;

// What an operation computes with.
struct Values {
  const float* in[MOST_INPUTS];
  float* out[MOST_OUTPUTS];
  // Of the first input: how many values, and how long a row is.
  int64_t count;
  int64_t width;
  // Values of the second input.
  int64_t second;
};

// The attribute of an operation: one number, or none.
struct Parameter {
  float number;
  int64_t integer;
};

enum class Size {
  // As many values.
  same,
  // So many that the first input is whole groups of them.
  group,
  // A head's values for each row.
  head,
};

struct Operation {
  const char* name;
  int inputs;
  int outputs;
  // "name: float" or "name: int", null for none.
  const char* attribute;
  void (*compute)(const Values&, const Parameter&);
  // Of the second input, beside the first.
  Size second = Size::same;
};

// Makes an operation known to TensorFlow, when the addon is loaded. One that it does not take is left out, with all that follow: then none is used.
void define(const Operation& operation);
