// Exported functions: conversion of tensors between element types.
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "acl/acl_op.h"
#include "base/dtype.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/memory_check.h"
#include "runtime/acl/tensor.h"

namespace acl = omkit::acl;
using acl::DataBuffer;
using acl::DataBufferTable;
using acl::Enter;
using acl::Fail;

namespace omkit::acl {
namespace {

struct Cast {
  aclDataType from = ACL_DT_UNDEFINED;
  aclDataType to = ACL_DT_UNDEFINED;
  size_t elements = 0;
};
using OpHandleTable = SlotTable<Cast, HandleType::kOpHandle>;

// Reals go through double, which holds every float, half and 32-bit integer exactly; integers to integers go through int64_t.
template <typename T>
T FromReal(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (std::isnan(value)) return 0;
    // The limits of 64-bit types are not doubles: compare with the power of two above.
    constexpr double kAbove = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2;
    if (value >= kAbove) return std::numeric_limits<T>::max();
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    return static_cast<T>(value);
  }
}

// The element types as structures of one layout, so that one loop serves all.
struct Half {
  static double Load(const char* p) {
    Float16 value;
    std::memcpy(&value, p, 2);
    return FromFloat16(value);
  }
  static void Store(double value, char* p) {
    const Float16 half = ToFloat16(static_cast<float>(value));
    std::memcpy(p, &half, 2);
  }
};
struct Brain {
  static double Load(const char* p) {
    BFloat16 value;
    std::memcpy(&value, p, 2);
    return FromBFloat16(value);
  }
  static void Store(double value, char* p) {
    const BFloat16 brain = ToBFloat16(static_cast<float>(value));
    std::memcpy(p, &brain, 2);
  }
};
template <typename T>
struct Plain {
  static double Load(const char* p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return static_cast<double>(value);
  }
  static void Store(double value, char* p) {
    const T result = FromReal<T>(value);
    std::memcpy(p, &result, sizeof result);
  }
};
struct Bool {
  static double Load(const char* p) { return *p != 0; }
  static void Store(double value, char* p) { *p = value != 0; }
};

struct Type {
  aclDataType type;
  bool integer;
  bool is_signed;
  double (*load)(const char*);
  void (*store)(double, char*);
};

const Type* FindType(aclDataType type) {
  static constexpr Type kTypes[] = {
      {ACL_FLOAT, false, true, &Plain<float>::Load, &Plain<float>::Store},
      {ACL_FLOAT16, false, true, &Half::Load, &Half::Store},
      {ACL_BF16, false, true, &Brain::Load, &Brain::Store},
      {ACL_DOUBLE, false, true, &Plain<double>::Load, &Plain<double>::Store},
      {ACL_INT8, true, true, &Plain<int8_t>::Load, &Plain<int8_t>::Store},
      {ACL_UINT8, true, false, &Plain<uint8_t>::Load, &Plain<uint8_t>::Store},
      {ACL_INT16, true, true, &Plain<int16_t>::Load, &Plain<int16_t>::Store},
      {ACL_UINT16, true, false, &Plain<uint16_t>::Load, &Plain<uint16_t>::Store},
      {ACL_INT32, true, true, &Plain<int32_t>::Load, &Plain<int32_t>::Store},
      {ACL_UINT32, true, false, &Plain<uint32_t>::Load, &Plain<uint32_t>::Store},
      {ACL_INT64, true, true, &Plain<int64_t>::Load, &Plain<int64_t>::Store},
      {ACL_UINT64, true, false, &Plain<uint64_t>::Load, &Plain<uint64_t>::Store},
      {ACL_BOOL, false, false, &Bool::Load, &Bool::Store},
  };
  for (const Type& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

// Low bytes, sign or zero extended; little-endian, as all supported machines are.
void CastIntegers(const Type& from, size_t from_size, size_t to_size, const char* source, char* target, size_t elements) {
  for (size_t i = 0; i < elements; ++i, source += from_size, target += to_size) {
    uint64_t bits = 0;
    std::memcpy(&bits, source, from_size);
    if (from.is_signed && from_size < 8 && (bits >> (8 * from_size - 1) & 1) != 0) bits |= ~uint64_t{0} << (8 * from_size);
    std::memcpy(target, &bits, to_size);
  }
}

void RunCast(const Cast& cast, const void* source, void* target) {
  const Type& from = *FindType(cast.from);
  const Type& to = *FindType(cast.to);
  const size_t from_size = aclDataTypeSize(cast.from);
  const size_t to_size = aclDataTypeSize(cast.to);
  const char* in = static_cast<const char*>(source);
  char* out = static_cast<char*>(target);
  if (cast.from == cast.to) {
    std::memmove(out, in, cast.elements * from_size);
  } else if (from.integer && to.integer) {
    CastIntegers(from, from_size, to_size, in, out, cast.elements);
  } else {
    for (size_t i = 0; i < cast.elements; ++i) to.store(from.load(in + i * from_size), out + i * to_size);
  }
}

aclError MakeCast(const aclTensorDesc* source, const aclTensorDesc* target, Cast* cast) {
  std::shared_ptr<TensorDesc> from;
  std::shared_ptr<TensorDesc> to;
  ACL_RETURN_IF_ERROR(UseTensorDesc(source, &from));
  ACL_RETURN_IF_ERROR(UseTensorDesc(target, &to));
  for (const TensorDesc* desc : {from.get(), to.get()}) {
    if (FindType(desc->type) == nullptr)
      return Fail(ACL_ERROR_UNSUPPORTED_DATA_TYPE, "element type %d cannot be converted", static_cast<int>(desc->type));
  }
  if (from->dims != to->dims) return Fail(ACL_ERROR_OP_OUTPUT_NOT_MATCH, "the two shapes differ");
  *cast = {from->type, to->type, aclGetTensorDescElementCount(source)};
  if (aclGetTensorDescSize(source) == 0 && cast->elements != 0) return Fail(ACL_ERROR_OP_INPUT_NOT_MATCH, "the tensor is too large");
  if (cast->elements == 0) return Fail(ACL_ERROR_OP_INPUT_NOT_MATCH, "the shape has unknown or no elements");
  return ACL_SUCCESS;
}

aclError UseCastBuffer(const char* what, const aclDataBuffer* handle, size_t needed, DataBuffer* buffer, std::shared_ptr<const Allocation>* pin) {
  const std::shared_ptr<DataBuffer> found = DataBufferTable::Get().Find(handle);
  if (found == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%s %p is not a live data buffer", what, static_cast<const void*>(handle));
  *buffer = *found;
  if (buffer->size < needed) return Fail(ACL_ERROR_INVALID_PARAM, "%s has %zu bytes, the tensor %zu", what, buffer->size, needed);
  return CheckRange(what, buffer->data, needed, Expect::kDevice, pin);
}

aclError QueueCast(const Cast& cast, const aclDataBuffer* source, const aclDataBuffer* target, aclrtStream stream) {
  std::shared_ptr<Stream> found;
  ACL_RETURN_IF_ERROR(UseStream(stream, &found));
  DataBuffer from;
  DataBuffer to;
  std::shared_ptr<const Allocation> pins[2];
  ACL_RETURN_IF_ERROR(UseCastBuffer("srcBuffer", source, cast.elements * aclDataTypeSize(cast.from), &from, &pins[0]));
  ACL_RETURN_IF_ERROR(UseCastBuffer("dstBuffer", target, cast.elements * aclDataTypeSize(cast.to), &to, &pins[1]));
  return PushTask(found, {[cast, from, to, first = pins[0], second = pins[1]]() -> aclError {
                            RunCast(cast, from.data, to.data);
                            return ACL_SUCCESS;
                          },
                          nullptr});
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclopCast(const aclTensorDesc* srcDesc, const aclDataBuffer* srcBuffer, const aclTensorDesc* dstDesc, aclDataBuffer* dstBuffer, uint8_t,
                   aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    acl::Cast cast;
    ACL_RETURN_IF_ERROR(acl::MakeCast(srcDesc, dstDesc, &cast));
    return acl::QueueCast(cast, srcBuffer, dstBuffer, stream);
  });
}

aclError aclopCreateHandleForCast(aclTensorDesc* srcDesc, aclTensorDesc* dstDesc, uint8_t, aclopHandle** handle) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (handle == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "handle is null");
    auto cast = std::make_shared<acl::Cast>();
    ACL_RETURN_IF_ERROR(acl::MakeCast(srcDesc, dstDesc, cast.get()));
    void* const made = acl::OpHandleTable::Get().Add(std::move(cast));
    if (made == nullptr) return Fail(ACL_ERROR_RT_OVER_LIMIT, "too many operator handles");
    *handle = static_cast<aclopHandle*>(made);
    return ACL_SUCCESS;
  });
}

aclError aclopExecWithHandle(aclopHandle* handle, int numInputs, const aclDataBuffer* const inputs[], int numOutputs, aclDataBuffer* const outputs[],
                             aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    const std::shared_ptr<acl::Cast> cast = acl::OpHandleTable::Get().Find(handle);
    if (cast == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live operator handle", static_cast<void*>(handle));
    if (numInputs != 1 || numOutputs != 1 || inputs == nullptr || outputs == nullptr) {
      return Fail(ACL_ERROR_INVALID_PARAM, "a cast has one input and one output");
    }
    return acl::QueueCast(*cast, inputs[0], outputs[0], stream);
  });
}

void aclopDestroyHandle(aclopHandle* handle) {
  Enter(__func__, [&]() -> aclError {
    if (handle == nullptr || acl::OpHandleTable::Get().Remove(handle) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live operator handle", static_cast<void*>(handle));
  });
}

}  // extern "C"
