#include "backends/reference/node_codec.h"

#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::reference {
namespace {

// Tags of ir::Attr's alternatives, in the order of the variant.
enum AttrTag : uint8_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor };

class Writer {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void Put(absl::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    out_.append(text.data(), text.size());
  }
  template <typename T>
  void Put(const std::vector<T>& values) {
    Put(static_cast<uint32_t>(values.size()));
    for (const T& v : values) Put(v);
  }
  void Put(const TensorType& type) {
    Put(static_cast<uint8_t>(type.dtype));
    Put(type.shape.vec());
    Put(type.quant.scale);
    Put(type.quant.zero_point);
    Put(static_cast<int32_t>(type.quant.axis));
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool AtEnd() const { return bytes_.empty(); }

  template <typename T>
  T Get() {
    T value{};
    if (bytes_.size() < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  // A count of items that take at least `item_bytes` each.
  uint32_t GetCount(size_t item_bytes) {
    const auto count = Get<uint32_t>();
    if (!ok_ || count > bytes_.size() / item_bytes) {
      ok_ = false;
      return 0;
    }
    return count;
  }
  std::string GetString() {
    const uint32_t size = GetCount(1);
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  template <typename T>
  std::vector<T> GetVector() {
    std::vector<T> values(GetCount(sizeof(T)));
    for (T& v : values) v = Get<T>();
    return values;
  }
  TensorType GetType() {
    TensorType type;
    type.dtype = static_cast<DType>(Get<uint8_t>());
    type.shape = Shape(GetVector<int64_t>());
    type.quant.scale = GetVector<float>();
    type.quant.zero_point = GetVector<int32_t>();
    type.quant.axis = Get<int32_t>();
    if (!IsValid(type.dtype) || !CheckedElements(type.shape.dims()).ok()) ok_ = false;
    if (type.quantized() && !ValidateQuantParams(type.quant, type.dtype).ok()) ok_ = false;
    if (type.quant.axis >= type.shape.rank()) ok_ = false;
    if (ok_ && type.quant.axis >= 0 && type.shape.dim(type.quant.axis) != static_cast<int64_t>(type.quant.scale.size())) ok_ = false;
    return type;
  }
  absl::StatusOr<Tensor> GetTensor() {
    TensorType type = GetType();
    const std::string bytes = GetString();
    if (!ok_ || static_cast<int64_t>(bytes.size()) != type.shape.elements() * static_cast<int64_t>(SizeOf(type.dtype))) {
      ok_ = false;
      return absl::InvalidArgumentError("attribute tensor of a wrong size");
    }
    OMKIT_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Allocate(std::move(type)));
    std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
    return tensor;
  }

 private:
  absl::string_view bytes_;
  bool ok_ = true;
};

void PutAttr(const ir::Attr& attr, Writer& out) {
  out.Put(static_cast<uint8_t>(attr.index()));
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Tensor>) {
          out.Put(value.type());
          out.Put(absl::string_view(static_cast<const char*>(value.raw()), value.bytes()));
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          out.Put(static_cast<uint32_t>(value.size()));
          for (const std::string& s : value) out.Put(absl::string_view(s));
        } else if constexpr (std::is_same_v<T, std::string>) {
          out.Put(absl::string_view(value));
        } else {
          out.Put(value);
        }
      },
      attr);
}

absl::StatusOr<ir::Attr> GetAttr(Reader& in) {
  switch (in.Get<uint8_t>()) {
    case kInt: return ir::Attr(in.Get<int64_t>());
    case kFloat: return ir::Attr(in.Get<float>());
    case kString: return ir::Attr(in.GetString());
    case kInts: return ir::Attr(in.GetVector<int64_t>());
    case kFloats: return ir::Attr(in.GetVector<float>());
    case kStrings: {
      std::vector<std::string> values(in.GetCount(sizeof(uint32_t)));
      for (std::string& s : values) s = in.GetString();
      return ir::Attr(std::move(values));
    }
    case kTensor: {
      OMKIT_ASSIGN_OR_RETURN(Tensor tensor, in.GetTensor());
      return ir::Attr(std::move(tensor));
    }
    default: return absl::InvalidArgumentError("attribute of an unknown kind");
  }
}

}  // namespace

std::string EncodeNode(const NodeSpec& spec) {
  Writer out;
  out.Put(absl::string_view(ir::OpName(spec.op)));
  out.Put(static_cast<uint32_t>(spec.attrs.map().size()));
  for (const auto& [name, attr] : spec.attrs.map()) {
    out.Put(absl::string_view(name));
    PutAttr(attr, out);
  }
  out.Put(static_cast<uint32_t>(spec.inputs.size()));
  for (const NodeSpec::Input& input : spec.inputs) {
    out.Put(static_cast<uint8_t>(input.present ? (input.constant ? 2 : 1) : 0));
    if (input.present) out.Put(input.type);
  }
  out.Put(static_cast<uint32_t>(spec.outputs.size()));
  for (const TensorType& type : spec.outputs) out.Put(type);
  return out.Take();
}

absl::StatusOr<NodeSpec> DecodeNode(absl::string_view bytes) {
  Reader in(bytes);
  NodeSpec spec;
  const std::string op = in.GetString();
  if (!in.ok() || !ir::FindOp(op, &spec.op)) return absl::InvalidArgumentError("the step names no known operator");
  for (uint32_t i = 0, n = in.GetCount(5); i < n && in.ok(); ++i) {
    const std::string name = in.GetString();
    OMKIT_ASSIGN_OR_RETURN(ir::Attr attr, GetAttr(in));
    spec.attrs.Set(name, std::move(attr));
  }
  for (uint32_t i = 0, n = in.GetCount(1); i < n && in.ok(); ++i) {
    NodeSpec::Input input;
    const auto kind = in.Get<uint8_t>();
    input.present = kind != 0;
    input.constant = kind == 2;
    if (kind > 2) return absl::InvalidArgumentError("input of an unknown kind");
    if (input.present) input.type = in.GetType();
    spec.inputs.push_back(std::move(input));
  }
  for (uint32_t i = 0, n = in.GetCount(1); i < n && in.ok(); ++i) spec.outputs.push_back(in.GetType());
  if (!in.ok() || !in.AtEnd()) return absl::InvalidArgumentError(absl::StrCat("damaged description of operator '", op, "'"));
  return spec;
}

}  // namespace omkit::reference
