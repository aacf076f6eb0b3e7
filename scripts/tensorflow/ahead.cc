// Compiled into tfjs-node's addon. TensorFlow can run operations on a thread of its own while the caller goes on, but the addon asks for the shape of each
// result, and that waits until the result is there. Here TensorFlow's own rules of shapes, which look at the operation and its inputs alone, answer first.
// What they cannot say waits as before. What JavaScript gives is copied at once: TensorFlow may let go of it on its own thread. The linker puts these functions before TensorFlow's (`--wrap`, in install-tensorflow.sh).
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "tensorflow/c/c_api_experimental.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/c/eager/c_api_experimental.h"

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

extern "C" {
TFE_Context* REAL(TFE_NewContext)(const TFE_ContextOptions*, TF_Status*);
void REAL(TFE_Execute)(TFE_Op*, TFE_TensorHandle**, int*, TF_Status*);
int REAL(TFE_TensorHandleNumDims)(TFE_TensorHandle*, TF_Status*);
int64_t REAL(TFE_TensorHandleDim)(TFE_TensorHandle*, int, TF_Status*);
void REAL(TFE_DeleteTensorHandle)(TFE_TensorHandle*);
TF_Tensor* REAL(TFE_TensorHandleResolve)(TFE_TensorHandle*, TF_Status*);
TFE_TensorHandle* REAL(TFE_TensorHandleCopyToDevice)(TFE_TensorHandle*, TFE_Context*, const char*, TF_Status*);
TF_Tensor* REAL(TF_NewTensor)(TF_DataType, const int64_t*, int, void*, size_t, void (*)(void*, size_t, void*), void*);
}

namespace {

// Operations that may wait at once: what they hold is bounded by that.
constexpr int MOST_WAITING = 256;
// "1" turns this on. native-engine.ts sets it on cores; on a GPU kernels run beside the caller without it.
constexpr char SWITCH[] = "TANDEM_TF_AHEAD";

using Shape = std::vector<int64_t>;

TFE_Executor* executor = nullptr;
// Of results that are not there yet, as far as anybody knows.
std::unordered_map<const TFE_TensorHandle*, Shape> shapes;

// When the process ends in the middle of a step: libraries that operations compute with are put away after this.
void finish() {
  TF_Status* status = TF_NewStatus();
  TFE_ExecutorWaitForAllPendingNodes(executor, status);
  TF_DeleteStatus(status);
}

// After an error the queue takes nothing more until it is cleared.
void begin_anew_after_errors(TF_Status* status) {
  if (executor != nullptr && TF_GetCode(status) != TF_OK) TFE_ExecutorClearError(executor);
}

bool shape_of(TFE_TensorHandle* handle, Shape* shape, TF_Status* status) {
  auto known = shapes.find(handle);
  if (known != shapes.end()) {
    *shape = known->second;
    return true;
  }
  const int count = REAL(TFE_TensorHandleNumDims)(handle, status);
  shape->clear();
  for (int i = 0; i < count && TF_GetCode(status) == TF_OK; i++) shape->push_back(REAL(TFE_TensorHandleDim)(handle, i, status));
  return TF_GetCode(status) == TF_OK;
}

// Shapes, axes and orders are inputs: the rules need their values. They come from the caller, so they are there.
bool decides_shapes(TFE_TensorHandle* handle) {
  const TF_DataType type = TFE_TensorHandleDataType(handle);
  return (type == TF_INT32 || type == TF_INT64) && shapes.count(handle) == 0;
}

// Of each result, none where the rules cannot say.
std::vector<Shape> infer(TFE_Op* op, TF_Status* status) {
  const int count = TFE_OpGetFlatInputCount(op, status);
  TF_ShapeAndTypeList* inputs = TF_NewShapeAndTypeList(count);
  std::vector<TF_Tensor*> values(count, nullptr);
  for (int i = 0; i < count && TF_GetCode(status) == TF_OK; i++) {
    TFE_TensorHandle* input = TFE_OpGetFlatInput(op, i, status);
    Shape shape;
    if (TF_GetCode(status) != TF_OK || !shape_of(input, &shape, status)) break;
    TF_ShapeAndTypeListSetShape(inputs, i, shape.data(), static_cast<int>(shape.size()));
    if (decides_shapes(input)) values[i] = REAL(TFE_TensorHandleResolve)(input, status);
  }
  std::vector<Shape> found;
  TF_ShapeAndTypeList* outputs = nullptr;
  if (TF_GetCode(status) == TF_OK) TFE_InferShapes(op, inputs, values.data(), nullptr, nullptr, &outputs, nullptr, status);
  if (TF_GetCode(status) == TF_OK && outputs != nullptr) {
    for (int i = 0; i < outputs->num_items; i++) {
      const TF_ShapeAndType& item = outputs->items[i];
      Shape shape(item.dims, item.dims + (item.num_dims > 0 ? item.num_dims : 0));
      bool known = item.num_dims >= 0;
      for (int64_t dim : shape) known = known && dim >= 0;
      if (!known) {
        found.clear();
        break;
      }
      found.push_back(shape);
    }
  }
  if (outputs != nullptr) TF_DeleteShapeAndTypeList(outputs);
  TF_DeleteShapeAndTypeList(inputs);
  for (TF_Tensor* value : values) {
    if (value != nullptr) TF_DeleteTensor(value);
  }
  return found;
}

}  // namespace

extern "C" {

TFE_Context* WRAP(TFE_NewContext)(const TFE_ContextOptions* options, TF_Status* status) {
  TFE_Context* context = REAL(TFE_NewContext)(options, status);
  const char* wanted = std::getenv(SWITCH);
  if (context != nullptr && wanted != nullptr && std::strcmp(wanted, "1") == 0) {
    executor = TFE_NewExecutor(true, false, MOST_WAITING);
    TFE_ContextSetExecutorForThread(context, executor);
    std::atexit(finish);
  }
  return context;
}

void WRAP(TFE_Execute)(TFE_Op* op, TFE_TensorHandle** results, int* count, TF_Status* status) {
  std::vector<Shape> inferred;
  if (executor != nullptr) {
    TF_Status* inferring = TF_NewStatus();
    inferred = infer(op, inferring);
    TF_DeleteStatus(inferring);
  }
  REAL(TFE_Execute)(op, results, count, status);
  begin_anew_after_errors(status);
  if (TF_GetCode(status) != TF_OK) return;
  for (size_t i = 0; i < inferred.size() && i < static_cast<size_t>(*count); i++) shapes[results[i]] = inferred[i];
}

int WRAP(TFE_TensorHandleNumDims)(TFE_TensorHandle* handle, TF_Status* status) {
  auto known = shapes.find(handle);
  if (known != shapes.end()) return static_cast<int>(known->second.size());
  const int count = REAL(TFE_TensorHandleNumDims)(handle, status);
  begin_anew_after_errors(status);
  return count;
}

int64_t WRAP(TFE_TensorHandleDim)(TFE_TensorHandle* handle, int index, TF_Status* status) {
  auto known = shapes.find(handle);
  return known == shapes.end() ? REAL(TFE_TensorHandleDim)(handle, index, status) : known->second[index];
}

// Waits for the values. An error of what was asked for before comes here, or from the next operation that is asked for, whichever is first.
TF_Tensor* WRAP(TFE_TensorHandleResolve)(TFE_TensorHandle* handle, TF_Status* status) {
  TF_Tensor* tensor = REAL(TFE_TensorHandleResolve)(handle, status);
  begin_anew_after_errors(status);
  return tensor;
}

// On cores values lie where they are computed with; a copy in the queue would have no shape yet.
TFE_TensorHandle* WRAP(TFE_TensorHandleCopyToDevice)(TFE_TensorHandle* handle, TFE_Context* context, const char* device, TF_Status* status) {
  if (executor != nullptr) return TFE_TensorHandleCopySharingTensor(handle, status);
  return REAL(TFE_TensorHandleCopyToDevice)(handle, context, device, status);
}

// The addon would share an array's memory, and give its reference back when TensorFlow has done with it: on whatever thread that is.
TF_Tensor* WRAP(TF_NewTensor)(TF_DataType type, const int64_t* dims, int count, void* data, size_t bytes, void (*release)(void*, size_t, void*), void* argument) {
  if (executor == nullptr || type == TF_STRING) return REAL(TF_NewTensor)(type, dims, count, data, bytes, release, argument);
  TF_Tensor* tensor = TF_AllocateTensor(type, dims, count, bytes);
  if (tensor != nullptr && bytes > 0) std::memcpy(TF_TensorData(tensor), data, bytes);
  if (release != nullptr) release(data, bytes, argument);
  return tensor;
}

void WRAP(TFE_DeleteTensorHandle)(TFE_TensorHandle* handle) {
  shapes.erase(handle);
  REAL(TFE_DeleteTensorHandle)(handle);
}

}
