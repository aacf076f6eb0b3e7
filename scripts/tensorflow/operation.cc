#include "operation.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "workers.h"

namespace {

struct DeleteStatus {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
};
using Status = std::unique_ptr<TF_Status, DeleteStatus>;

Status new_status() { return Status(TF_NewStatus()); }
bool failed(const Status& status) { return TF_GetCode(status.get()) != TF_OK; }

// The C API gives no context to its callbacks, so each operation has its own, made from its place in this list.
constexpr int MOST_OPERATIONS = 16;
Operation operations[MOST_OPERATIONS];
int defined = 0;

bool is_like_first(const Shape& shape) { return shape.rows.input < 0; }

struct Kernel {
  const Operation& operation;
  Parameter parameter;
};

template <int INDEX>
void* create(TF_OpKernelConstruction* construction) {
  const Operation& operation = operations[INDEX];
  Parameter parameter = {};
  Status status = new_status();
  for (const char* attribute : operation.attributes) {
    if (attribute == nullptr || failed(status)) continue;
    const std::string name(attribute, std::strchr(attribute, ':') - attribute);
    if (std::strstr(attribute, "float") != nullptr) {
      TF_OpKernelConstruction_GetAttrFloat(construction, name.c_str(), &parameter.number, status.get());
    } else {
      TF_OpKernelConstruction_GetAttrInt64(construction, name.c_str(), &parameter.integer, status.get());
    }
  }
  if (failed(status)) TF_OpKernelConstruction_Failure(construction, status.get());
  return new Kernel{operation, parameter};
}

struct DeleteShape {
  void operator()(TF_ShapeHandle* shape) const { TF_DeleteShapeHandle(shape); }
};
using ShapeHandle = std::unique_ptr<TF_ShapeHandle, DeleteShape>;

ShapeHandle input_shape(TF_ShapeInferenceContext* context, int input, TF_Status* status) {
  ShapeHandle shape(TF_NewShapeHandle());
  TF_ShapeInferenceContextGetInput(context, input, shape.get(), status);
  return shape;
}

ShapeHandle axis_shape(TF_ShapeInferenceContext* context, const Axis& axis, TF_Status* status) {
  ShapeHandle whole = input_shape(context, axis.input, status);
  ShapeHandle matrix(TF_NewShapeHandle());
  ShapeHandle part(TF_NewShapeHandle());
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextWithRank(context, whole.get(), 2, matrix.get(), status);
  if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSubshape(context, matrix.get(), axis.axis, axis.axis + 1, part.get(), status);
  return part;
}

template <int INDEX>
void infer(TF_ShapeInferenceContext* context, TF_Status* status) {
  const Operation& operation = operations[INDEX];
  for (int i = 0; i < operation.outputs && TF_GetCode(status) == TF_OK; i++) {
    const Shape& wanted = operation.shapes[i];
    if (is_like_first(wanted)) {
      TF_ShapeInferenceContextSetOutput(context, i, input_shape(context, 0, status).get(), status);
      continue;
    }
    ShapeHandle rows = axis_shape(context, wanted.rows, status);
    if (TF_GetCode(status) != TF_OK) return;
    ShapeHandle columns = axis_shape(context, wanted.columns, status);
    ShapeHandle shape(TF_NewShapeHandle());
    if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextConcatenateShapes(context, rows.get(), columns.get(), shape.get(), status);
    if (TF_GetCode(status) == TF_OK) TF_ShapeInferenceContextSetOutput(context, i, shape.get(), status);
  }
}

struct DeleteTensor {
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
};
using TensorHandle = std::unique_ptr<TF_Tensor, DeleteTensor>;

Input matrix_of(const TF_Tensor* tensor) {
  const int last = TF_NumDims(tensor) - 1;
  int64_t rows = 1;
  for (int i = 0; i < last; i++) rows *= TF_Dim(tensor, i);
  return {static_cast<const float*>(TF_TensorData(tensor)), rows, last < 0 ? 1 : TF_Dim(tensor, last)};
}

std::vector<int64_t> shape_of(const Shape& wanted, const TF_Tensor* first, const Values& values) {
  std::vector<int64_t> shape;
  if (is_like_first(wanted)) {
    for (int i = 0; i < TF_NumDims(first); i++) shape.push_back(TF_Dim(first, i));
    return shape;
  }
  for (const Axis& axis : {wanted.rows, wanted.columns}) {
    const Input& input = values.in[axis.input];
    shape.push_back(axis.axis == 0 ? input.rows : input.columns);
  }
  return shape;
}

// Less than this on a thread takes no longer than what giving it away does.
constexpr int64_t LEAST_PER_CHUNK = 50'000;
// What a thread computes while another one is woken.
constexpr int64_t WORTH_WAKING = 2'000'000;

// False where memory ran out: an exception must not leave a thread.
bool share(const Kernel& kernel, const Values& values) {
  const Operation& operation = kernel.operation;
  const Parameter& parameter = kernel.parameter;
  const int64_t units = operation.units(values, parameter);
  const int64_t cost = units * operation.cost(values, parameter);
  const int64_t chunks = std::clamp<int64_t>(std::min(units / operation.least, cost / LEAST_PER_CHUNK), 1, operation.chunks * worker_count());
  std::atomic<bool> enough{true};
  in_parallel(static_cast<int>(chunks), cost >= WORTH_WAKING, [&](int chunk) {
    try {
      operation.compute(values, parameter, units * chunk / chunks, units * (chunk + 1) / chunks);
    } catch (const std::bad_alloc&) {
      enough = false;
    }
  });
  return enough;
}

void compute(void* pointer, TF_OpKernelContext* context) {
  const Kernel& kernel = *static_cast<Kernel*>(pointer);
  const auto& [operation, parameter] = kernel;
  Status status = new_status();
  Values values = {};
  TensorHandle inputs[MOST_INPUTS];
  TensorHandle outputs[MOST_OUTPUTS];
  for (int i = 0; i < operation.inputs && !failed(status); i++) {
    TF_Tensor* input = nullptr;
    TF_GetInput(context, i, &input, status.get());
    inputs[i].reset(input);
    if (!failed(status)) values.in[i] = matrix_of(input);
  }
  if (!failed(status) && !operation.fits(values, parameter)) {
    TF_SetStatus(status.get(), TF_INVALID_ARGUMENT, (std::string(operation.name) + ": the inputs do not fit together").c_str());
  }
  for (int i = 0; i < operation.outputs && !failed(status); i++) {
    const std::vector<int64_t> shape = shape_of(operation.shapes[i], inputs[0].get(), values);
    size_t bytes = sizeof(float);
    for (int64_t length : shape) bytes *= length;
    outputs[i].reset(TF_AllocateOutput(context, i, TF_FLOAT, shape.data(), shape.size(), bytes, status.get()));
    if (!failed(status)) values.out[i] = static_cast<float*>(TF_TensorData(outputs[i].get()));
  }
  if (!failed(status) && !share(kernel, values)) TF_SetStatus(status.get(), TF_RESOURCE_EXHAUSTED, (std::string("OOM in ") + operation.name).c_str());
  if (failed(status)) TF_OpKernelContext_Failure(context, status.get());
}

void destroy(void* kernel) { delete static_cast<Kernel*>(kernel); }

using Create = void* (*)(TF_OpKernelConstruction*);
using Infer = void (*)(TF_ShapeInferenceContext*, TF_Status*);
struct Callbacks {
  Create create;
  Infer infer;
};

template <int... INDICES>
Callbacks callbacks_of(int index, std::integer_sequence<int, INDICES...>) {
  const Callbacks all[] = {{create<INDICES>, infer<INDICES>}...};
  return all[index];
}

bool refused = false;

// True where TensorFlow has taken what it was given.
bool taken(const Status& status, const char* name) {
  if (!failed(status)) return true;
  std::fprintf(stderr, "TensorFlow does not take the operation %s: %s\n", name, TF_Message(status.get()));
  refused = true;
  return false;
}

}  // namespace

void define(const Operation& operation) {
  if (refused || defined == MOST_OPERATIONS) return;
  const int index = defined++;
  operations[index] = operation;
  const Callbacks callbacks = callbacks_of(index, std::make_integer_sequence<int, MOST_OPERATIONS>());
  Status status = new_status();
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(operation.name);
  for (int i = 0; i < operation.inputs; i++) TF_OpDefinitionBuilderAddInput(builder, ("in" + std::to_string(i) + ": float").c_str());
  for (int i = 0; i < operation.outputs; i++) TF_OpDefinitionBuilderAddOutput(builder, ("out" + std::to_string(i) + ": float").c_str());
  for (const char* attribute : operation.attributes) {
    if (attribute != nullptr) TF_OpDefinitionBuilderAddAttr(builder, attribute);
  }
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, callbacks.infer);
  TF_RegisterOpDefinition(builder, status.get());
  if (!taken(status, operation.name)) return;
  TF_RegisterKernelBuilder(operation.name, TF_NewKernelBuilder(operation.name, "CPU", callbacks.create, compute, destroy), status.get());
  taken(status, operation.name);
}
