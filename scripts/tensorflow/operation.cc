#include "operation.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

struct DeleteStatus {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
};
using Status = std::unique_ptr<TF_Status, DeleteStatus>;

Status new_status() { return Status(TF_NewStatus()); }
bool failed(const Status& status) { return TF_GetCode(status.get()) != TF_OK; }

std::string attribute_name(const Operation& operation) {
  return std::string(operation.attribute, std::strchr(operation.attribute, ':') - operation.attribute);
}

void like_first_input(TF_ShapeInferenceContext* context, int outputs, TF_Status* status) {
  TF_ShapeHandle* shape = TF_NewShapeHandle();
  TF_ShapeInferenceContextGetInput(context, 0, shape, status);
  for (int i = 0; i < outputs && TF_GetCode(status) == TF_OK; i++) TF_ShapeInferenceContextSetOutput(context, i, shape, status);
  TF_DeleteShapeHandle(shape);
}

// The C API gives no context to its callbacks, so each operation has its own, made from its place in this list.
constexpr int MOST_OPERATIONS = 8;
Operation operations[MOST_OPERATIONS];
int defined = 0;

struct Kernel {
  const Operation& operation;
  Parameter parameter;
};

template <int INDEX>
void* create(TF_OpKernelConstruction* construction) {
  const Operation& operation = operations[INDEX];
  Parameter parameter = {};
  if (operation.attribute != nullptr) {
    Status status = new_status();
    const std::string name = attribute_name(operation);
    if (std::strstr(operation.attribute, "float") != nullptr) {
      TF_OpKernelConstruction_GetAttrFloat(construction, name.c_str(), &parameter.number, status.get());
    } else {
      TF_OpKernelConstruction_GetAttrInt64(construction, name.c_str(), &parameter.integer, status.get());
    }
    if (failed(status)) TF_OpKernelConstruction_Failure(construction, status.get());
  }
  return new Kernel{operation, parameter};
}

bool sizes_fit(const Operation& operation, const Parameter& parameter, TF_Tensor* const* inputs, const Values& v) {
  for (int i = 2; i < operation.inputs; i++) {
    if (TF_TensorElementCount(inputs[i]) != v.count) return false;
  }
  if (operation.inputs < 2 || v.count == 0) return v.width > 0;
  switch (operation.second) {
    case Size::same: return v.second == v.count;
    case Size::group: return v.second > 0 && v.width % v.second == 0;
    case Size::head: return parameter.integer > 0 && v.width % parameter.integer == 0 && v.second == v.count / v.width * parameter.integer;
  }
  return false;
}

void compute(void* kernel, TF_OpKernelContext* context) {
  const auto& [operation, parameter] = *static_cast<Kernel*>(kernel);
  Status status = new_status();
  Values values = {};
  TF_Tensor* inputs[MOST_INPUTS] = {};
  TF_Tensor* outputs[MOST_OUTPUTS] = {};
  for (int i = 0; i < operation.inputs && !failed(status); i++) {
    TF_GetInput(context, i, &inputs[i], status.get());
    if (!failed(status)) values.in[i] = static_cast<const float*>(TF_TensorData(inputs[i]));
  }
  std::vector<int64_t> shape;
  for (int i = 0; !failed(status) && i < TF_NumDims(inputs[0]); i++) shape.push_back(TF_Dim(inputs[0], i));
  for (int i = 0; i < operation.outputs && !failed(status); i++) {
    outputs[i] = TF_AllocateOutput(context, i, TF_FLOAT, shape.data(), shape.size(), TF_TensorByteSize(inputs[0]), status.get());
    if (!failed(status)) values.out[i] = static_cast<float*>(TF_TensorData(outputs[i]));
  }
  if (!failed(status)) {
    values.count = TF_TensorElementCount(inputs[0]);
    values.width = shape.empty() ? 1 : shape.back();
    values.second = inputs[1] == nullptr ? 0 : TF_TensorElementCount(inputs[1]);
    if (sizes_fit(operation, parameter, inputs, values)) operation.compute(values, parameter);
    else TF_SetStatus(status.get(), TF_INVALID_ARGUMENT, (std::string(operation.name) + ": the inputs do not fit together").c_str());
  }
  if (failed(status)) TF_OpKernelContext_Failure(context, status.get());
  for (TF_Tensor* tensor : inputs) if (tensor != nullptr) TF_DeleteTensor(tensor);
  for (TF_Tensor* tensor : outputs) if (tensor != nullptr) TF_DeleteTensor(tensor);
}

void destroy(void* kernel) { delete static_cast<Kernel*>(kernel); }

using Create = void* (*)(TF_OpKernelConstruction*);
constexpr Create creators[MOST_OPERATIONS] = {create<0>, create<1>, create<2>, create<3>, create<4>, create<5>, create<6>, create<7>};

void like_one(TF_ShapeInferenceContext* context, TF_Status* status) { like_first_input(context, 1, status); }
void like_two(TF_ShapeInferenceContext* context, TF_Status* status) { like_first_input(context, 2, status); }

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
  Status status = new_status();
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(operation.name);
  for (int i = 0; i < operation.inputs; i++) TF_OpDefinitionBuilderAddInput(builder, ("in" + std::to_string(i) + ": float").c_str());
  for (int i = 0; i < operation.outputs; i++) TF_OpDefinitionBuilderAddOutput(builder, ("out" + std::to_string(i) + ": float").c_str());
  if (operation.attribute != nullptr) TF_OpDefinitionBuilderAddAttr(builder, operation.attribute);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, operation.outputs == 1 ? like_one : like_two);
  TF_RegisterOpDefinition(builder, status.get());
  if (!taken(status, operation.name)) return;
  TF_RegisterKernelBuilder(operation.name, TF_NewKernelBuilder(operation.name, "CPU", creators[index], compute, destroy), status.get());
  taken(status, operation.name);
}
