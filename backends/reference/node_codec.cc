#include "backends/reference/node_codec.h"

#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/verify.h"

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

void PutBody(const ir::Graph& body, Writer& out);

void PutAttrs(const ir::Attrs& attrs, Writer& out) {
  out.Put(static_cast<uint32_t>(attrs.map().size()));
  for (const auto& [name, attr] : attrs.map()) {
    out.Put(absl::string_view(name));
    PutAttr(attr, out);
  }
}

absl::Status GetAttrs(Reader& in, ir::Attrs* attrs) {
  for (uint32_t i = 0, n = in.GetCount(5); i < n && in.ok(); ++i) {
    const std::string name = in.GetString();
    OMKIT_ASSIGN_OR_RETURN(ir::Attr attr, GetAttr(in));
    attrs->Set(name, std::move(attr));
  }
  return absl::OkStatus();
}

void PutBodies(const std::vector<std::shared_ptr<const ir::Graph>>& bodies, Writer& out) {
  out.Put(static_cast<uint32_t>(bodies.size()));
  for (const auto& body : bodies) PutBody(*body, out);
}

// What a value of a body is stored as.
enum ValueTag : uint8_t { kPlain, kTyped, kConstant };

// Values are numbered inputs first, then the rest in the order of the graph.
void PutBody(const ir::Graph& body, Writer& out) {
  std::vector<ir::ValueId> order = body.inputs();
  std::vector<int32_t> number(body.num_values(), -1);
  for (size_t i = 0; i < order.size(); ++i) number[order[i]] = static_cast<int32_t>(i);
  for (ir::ValueId v = 0; v < body.num_values(); ++v) {
    if (number[v] >= 0) continue;
    number[v] = static_cast<int32_t>(order.size());
    order.push_back(v);
  }
  const auto put_ids = [&](const std::vector<ir::ValueId>& ids) {
    std::vector<int32_t> numbers;
    for (ir::ValueId v : ids) numbers.push_back(v == ir::kNoValue ? -1 : number[v]);
    out.Put(numbers);
  };
  out.Put(static_cast<uint32_t>(body.inputs().size()));
  out.Put(static_cast<uint32_t>(order.size()));
  for (ir::ValueId v : order) {
    const ir::Value& value = body.value(v);
    const bool typed = value.type.dtype != DType::kUndefined && value.type.shape.IsStatic();
    out.Put(static_cast<uint8_t>(value.constant.defined() ? kConstant : typed ? kTyped : kPlain));
    if (value.constant.defined()) PutAttr(ir::Attr(value.constant), out);
    else if (typed) out.Put(value.type);
  }
  std::vector<ir::NodeId> nodes;
  if (auto sorted = body.TopologicalOrder(); sorted.ok()) nodes = *std::move(sorted);
  out.Put(static_cast<uint32_t>(nodes.size()));
  for (ir::NodeId id : nodes) {
    const ir::Node& node = body.node(id);
    out.Put(absl::string_view(ir::OpName(node.op)));
    out.Put(absl::string_view(node.name));
    PutAttrs(node.attrs, out);
    put_ids(node.inputs);
    put_ids(node.outputs);
    PutBodies(node.bodies, out);
  }
  put_ids(body.outputs());
}

constexpr int kMaxBodyDepth = 32;

absl::StatusOr<std::vector<std::shared_ptr<const ir::Graph>>> GetBodies(Reader& in, int depth);

absl::Status GetValues(Reader& in, ir::Graph& body) {
  const auto inputs = in.Get<uint32_t>();
  const uint32_t values = in.GetCount(1);
  for (uint32_t v = 0; v < values && in.ok(); ++v) {
    const std::string name = absl::StrCat("value", v);
    const auto tag = in.Get<uint8_t>();
    TensorType type;
    Tensor constant;
    if (tag == kConstant) {
      OMKIT_ASSIGN_OR_RETURN(const ir::Attr attr, GetAttr(in));
      if (!std::holds_alternative<Tensor>(attr) || v < inputs) return absl::InvalidArgumentError("a body's constant is no tensor");
      constant = std::get<Tensor>(attr);
    } else if (tag == kTyped) {
      type = in.GetType();
    } else if (tag != kPlain) {
      return absl::InvalidArgumentError("a body's value of an unknown kind");
    }
    if (v < inputs) {
      body.AddInput(name, std::move(type));
      continue;
    }
    const ir::ValueId id = body.AddValue(name);
    if (constant.defined()) body.SetConstant(id, std::move(constant));
    else body.SetType(id, std::move(type));
  }
  return in.ok() && body.num_values() >= static_cast<int>(inputs) ? absl::OkStatus() : absl::InvalidArgumentError("damaged values of a body");
}

absl::StatusOr<std::vector<ir::ValueId>> GetIds(Reader& in, const ir::Graph& body, bool absent_allowed) {
  std::vector<ir::ValueId> ids = in.GetVector<int32_t>();
  for (ir::ValueId v : ids) {
    if (v < (absent_allowed ? -1 : 0) || v >= body.num_values()) return absl::InvalidArgumentError("a body's value number is out of range");
  }
  return ids;
}

absl::StatusOr<std::shared_ptr<const ir::Graph>> GetBody(Reader& in, int depth) {
  auto body = std::make_shared<ir::Graph>();
  OMKIT_RETURN_IF_ERROR(GetValues(in, *body));
  for (uint32_t i = 0, n = in.GetCount(8); i < n && in.ok(); ++i) {
    ir::OpKind op;
    if (!ir::FindOp(in.GetString(), &op)) return absl::InvalidArgumentError("a body names an unknown operator");
    const std::string name = in.GetString();
    ir::Attrs attrs;
    OMKIT_RETURN_IF_ERROR(GetAttrs(in, &attrs));
    OMKIT_ASSIGN_OR_RETURN(std::vector<ir::ValueId> inputs, GetIds(in, *body, true));
    OMKIT_ASSIGN_OR_RETURN(std::vector<ir::ValueId> outputs, GetIds(in, *body, false));
    OMKIT_ASSIGN_OR_RETURN(auto bodies, GetBodies(in, depth + 1));
    for (ir::ValueId v : outputs) {
      if (body->value(v).producer != ir::kNoNode || body->IsConstant(v) || body->IsInput(v))
        return absl::InvalidArgumentError("a body's value has two producers");
    }
    body->SetBodies(body->AddNodeInto(op, name, std::move(inputs), std::move(outputs), std::move(attrs)), std::move(bodies));
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::ValueId> outputs, GetIds(in, *body, false));
  for (ir::ValueId v : outputs) body->MarkOutput(v);
  if (!in.ok()) return absl::InvalidArgumentError("damaged body");
  OMKIT_RETURN_IF_ERROR(ir::Verify(*body, ir::VerifyTypes::kMayBeUnknown));
  return std::shared_ptr<const ir::Graph>(std::move(body));
}

absl::StatusOr<std::vector<std::shared_ptr<const ir::Graph>>> GetBodies(Reader& in, int depth) {
  std::vector<std::shared_ptr<const ir::Graph>> bodies;
  const uint32_t count = in.GetCount(8);
  if (count > 0 && depth > kMaxBodyDepth) return absl::InvalidArgumentError("bodies are nested too deeply");
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(auto body, GetBody(in, depth));
    bodies.push_back(std::move(body));
  }
  return bodies;
}

}  // namespace

std::string EncodeNode(const NodeSpec& spec) {
  Writer out;
  out.Put(absl::string_view(ir::OpName(spec.op)));
  PutAttrs(spec.attrs, out);
  out.Put(static_cast<uint32_t>(spec.inputs.size()));
  for (const NodeSpec::Input& input : spec.inputs) {
    out.Put(static_cast<uint8_t>(input.present ? (input.constant ? 2 : 1) : 0));
    if (input.present) out.Put(input.type);
  }
  out.Put(static_cast<uint32_t>(spec.outputs.size()));
  for (const TensorType& type : spec.outputs) out.Put(type);
  PutBodies(spec.bodies, out);
  return out.Take();
}

absl::StatusOr<NodeSpec> DecodeNode(absl::string_view bytes) {
  Reader in(bytes);
  NodeSpec spec;
  const std::string op = in.GetString();
  if (!in.ok() || !ir::FindOp(op, &spec.op)) return absl::InvalidArgumentError("the step names no known operator");
  OMKIT_RETURN_IF_ERROR(GetAttrs(in, &spec.attrs));
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
  OMKIT_ASSIGN_OR_RETURN(spec.bodies, GetBodies(in, 0));
  if (!in.ok() || !in.AtEnd()) return absl::InvalidArgumentError(absl::StrCat("damaged description of operator '", op, "'"));
  return spec;
}

}  // namespace omkit::reference
