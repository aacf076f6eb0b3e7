// Operations of our own for TensorFlow on cores, by its C API: all take and give floats.
#pragma once
#include <cstdint>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

constexpr int MOST_INPUTS = 5;
constexpr int MOST_OUTPUTS = 3;
constexpr int MOST_ATTRIBUTES = 2;

// A tensor as a matrix: its last axis is a row.
struct Input {
  const float* data;
  int64_t rows;
  int64_t columns;
  int64_t count() const { return rows * columns; }
};

struct Values {
  Input in[MOST_INPUTS];
  float* out[MOST_OUTPUTS];
};

// The attributes of an operation: one number of each kind at the most.
struct Parameter {
  float number;
  int64_t integer;
};

// The length of an axis of an input.
struct Axis {
  int input;
  int axis;
};

// The shape of a result: a matrix, or that of the first input.
struct Shape {
  Axis rows;
  Axis columns;
};
constexpr Shape LIKE_FIRST = {{-1, 0}, {-1, 0}};

struct Operation {
  const char* name;
  int inputs;
  int outputs;
  Shape shapes[MOST_OUTPUTS];
  // "name: float" or "name: int".
  const char* attributes[MOST_ATTRIBUTES];
  bool (*fits)(const Values&, const Parameter&);
  // Parts that can be computed apart from each other, such as rows, how many at once are worth it, and what each of them costs: floating point operations, roughly.
  int64_t (*units)(const Values&, const Parameter&);
  int64_t least;
  // Into how many chunks for each thread units are cut, at the most: some where units differ.
  int64_t chunks;
  int64_t (*cost)(const Values&, const Parameter&);
  // Computes units from one to before another, whatever threads compute the others.
  void (*compute)(const Values&, const Parameter&, int64_t from, int64_t to);
};

// Makes an operation known to TensorFlow, when the addon is loaded. One that it does not take is left out, with all that follow: then none is used.
void define(const Operation& operation);

// Of attention.cc and products.cc.
void define_attention();
void define_products();
