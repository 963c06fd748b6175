#include "frontends/qdq/encodings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "nlohmann/json.hpp"

namespace omkit::frontends {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;
using Json = nlohmann::json;

// One tensor's encoding, whatever the format.
struct Encoding {
  bool is_float = false;
  int bits = 8;
  bool symmetric = false;
  std::vector<float> scale;
  std::vector<int64_t> zero;  // of the unsigned grid [0, 2^bits)
};

// Numbers, and booleans that 0.6.1 writes as "True"; nothing here throws.
double Number(const Json& object, const char* key, double fallback) {
  const auto it = object.find(key);
  return it == object.end() || !it->is_number() ? fallback : it->get<double>();
}
std::string Text(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || !it->is_string() ? "" : it->get<std::string>();
}
bool Flag(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return false;
  return it->is_boolean() ? it->get<bool>() : absl::AsciiStrToLower(Text(object, key)) == "true";
}
// A number or a list of numbers.
std::vector<double> Numbers(const Json& object, const char* key) {
  std::vector<double> values;
  const auto it = object.find(key);
  if (it == object.end()) return values;
  if (it->is_number()) values.push_back(it->get<double>());
  if (it->is_array()) {
    for (const Json& v : *it) {
      if (v.is_number()) values.push_back(v.get<double>());
    }
  }
  return values;
}

Encoding FromParts(const std::vector<double>& scale, const std::vector<double>& zero, double sign) {
  Encoding e;
  for (size_t i = 0; i < scale.size(); ++i) {
    e.scale.push_back(static_cast<float>(scale[i]));
    const double z = zero.empty() ? 0.0 : zero[zero.size() == 1 ? 0 : std::min(i, zero.size() - 1)];
    e.zero.push_back(static_cast<int64_t>(std::max(-1e9, std::min(1e9, sign * z))));
  }
  return e;
}

// 0.6.1: one object per channel. Offsets are negative: q = round(x / scale) - offset.
Encoding FromList(const Json& list) {
  std::vector<double> scale, offset;
  for (const Json& entry : list) {
    if (!entry.is_object()) continue;
    scale.push_back(Number(entry, "scale", 0));
    offset.push_back(Number(entry, "offset", 0));
  }
  Encoding e = FromParts(scale, offset, -1);
  if (!list.empty() && list[0].is_object()) {
    e.bits = static_cast<int>(Number(list[0], "bitwidth", 8));
    e.is_float = Text(list[0], "dtype") == "float";
    e.symmetric = Flag(list[0], "is_symmetric");
  }
  return e;
}

// 1.0.0 and 2.0.0: one object with lists.
Encoding FromObject(const Json& object) {
  if (object.contains("y_scale")) {
    const std::string type = Text(object, "output_dtype");
    const bool is_signed = absl::StartsWith(type, "int");
    Encoding e = FromParts(Numbers(object, "y_scale"), Numbers(object, "y_zero_point"), 1);
    const std::string digits = type.substr(std::min(type.size(), type.find_first_of("0123456789")));
    e.bits = digits.empty() ? 8 : std::atoi(digits.c_str());
    e.is_float = absl::StartsWith(type, "float");
    e.symmetric = is_signed && std::all_of(e.zero.begin(), e.zero.end(), [](int64_t z) { return z == 0; });
    if (is_signed) {
      for (int64_t& z : e.zero) z += int64_t{1} << std::max(0, std::min(31, e.bits - 1));
    }
    return e;
  }
  Encoding e = FromParts(Numbers(object, "scale"), Numbers(object, "offset"), -1);
  e.bits = static_cast<int>(Number(object, "bw", 8));
  e.is_float = absl::AsciiStrToLower(Text(object, "dtype")) == "float";
  e.symmetric = Flag(object, "is_sym");
  return e;
}

absl::Status AddEntries(const Json& section, std::map<std::string, Encoding>* all) {
  if (section.is_object()) {
    for (const auto& [name, list] : section.items()) {
      if (!list.is_array()) return absl::InvalidArgumentError(absl::StrCat("the encodings of '", name, "' are no list"));
      (*all)[name] = FromList(list);
    }
    return absl::OkStatus();
  }
  if (!section.is_array()) return absl::InvalidArgumentError("encodings are neither an object nor a list");
  for (const Json& entry : section) {
    const std::string name = entry.is_object() ? Text(entry, "name") : "";
    if (name.empty()) return absl::InvalidArgumentError("an encoding has no name");
    (*all)[name] = FromObject(entry);
  }
  return absl::OkStatus();
}

class Writer {
 public:
  explicit Writer(Graph& graph) : graph_(graph) {
    for (ValueId v = 0; v < graph.num_values(); ++v) values_[graph.value(v).name] = v;
  }

  absl::StatusOr<bool> Write(const std::string& name, const Encoding& e) {
    const auto it = values_.find(name);
    if (it == values_.end()) {
      std::vector<std::string> known;
      for (const auto& [n, v] : values_) known.push_back(n);
      const std::string near = NearestName(name, known);
      return absl::InvalidArgumentError(
          absl::StrCat("the model has no such tensor", near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
    }
    const ValueId v = it->second;
    const bool constant = graph_.IsConstant(v);
    if (e.is_float || (constant && e.bits == 32) || (graph_.Uses(v).empty() && !graph_.IsOutput(v))) return false;
    if (e.scale.empty()) return absl::InvalidArgumentError("has no scale");
    if (constant ? e.bits < 2 || e.bits > 8 : e.bits != 8) {
      return absl::UnimplementedError(
          absl::StrCat("is quantized to ", e.bits, " bits; INT8 takes ", constant ? "weights of 2 to 8 bits" : "activations of 8 bits"));
    }
    if (!constant && e.scale.size() > 1) {
      return absl::UnimplementedError(absl::StrCat("is an activation with ", e.scale.size(), " scales; quantize activations per tensor"));
    }
    OMKIT_RETURN_IF_ERROR(constant ? WriteWeights(v, e) : WriteActivation(v, e));
    return true;
  }

 private:
  ValueId Linear(const std::string& name, const Encoding& e, bool as_signed, ValueId* zero) {
    const auto n = static_cast<int64_t>(e.scale.size());
    const Shape shape = n == 1 ? Shape{} : Shape{n};
    std::vector<int8_t> bytes;
    for (const int64_t z : e.zero) bytes.push_back(static_cast<int8_t>(e.symmetric ? 0 : as_signed ? z - 128 : z));
    Tensor t = *Tensor::Allocate(as_signed ? DType::kInt8 : DType::kUInt8, shape);
    std::copy(bytes.begin(), bytes.end(), static_cast<int8_t*>(t.mutable_raw()));
    *zero = graph_.AddConstant(absl::StrCat(name, ":zero_point"), std::move(t));
    return graph_.AddConstant(absl::StrCat(name, ":scale"), Tensor::Of<float>(shape, e.scale));
  }

  absl::Status WriteActivation(ValueId v, const Encoding& e) {
    if (!e.symmetric && (e.zero[0] < 0 || e.zero[0] > 255))
      return absl::InvalidArgumentError(absl::StrCat("has zero point ", e.zero[0], ", outside uint8"));
    const std::string name = graph_.value(v).name;
    ValueId zero;
    const ValueId scale = Linear(name, e, e.symmetric, &zero);
    const NodeId q = graph_.AddNode(OpKind::kQuantizeLinear, absl::StrCat(name, ":quantize"), {v, scale, zero});
    const NodeId dq = graph_.AddNode(OpKind::kDequantizeLinear, absl::StrCat(name, ":dequantize"), {graph_.node(q).outputs[0], scale, zero});
    graph_.ReplaceUsesExcept(v, graph_.node(dq).outputs[0], q);
    return absl::OkStatus();
  }

  // The axis of the output channels, from the operator that reads the weights.
  int64_t Axis(ValueId v) const {
    const Node& reader = graph_.node(graph_.Uses(v)[0].node);
    if (reader.op == OpKind::kConvTranspose) return 1;
    if (reader.op == OpKind::kGemm) return reader.attrs.Int("transB", 0) != 0 ? 0 : 1;
    return reader.op == OpKind::kMatMul ? graph_.value(v).type.shape.rank() - 1 : 0;
  }

  absl::Status WriteWeights(ValueId v, const Encoding& e) {
    const Tensor w = graph_.value(v).constant;
    if (w.dtype() != DType::kFloat32) return absl::InvalidArgumentError(absl::StrCat("is ", Name(w.dtype()), ", not float32"));
    const auto n = static_cast<int64_t>(e.scale.size());
    const int64_t axis = n == 1 ? 0 : Axis(v);
    if (n > 1 && (axis >= w.shape().rank() || w.shape().dim(static_cast<int>(axis)) != n)) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", n, " scales, but the weights are ", w.shape().ToString(), " with channels on axis ", axis));
    }
    for (const float s : e.scale) {
      if (!std::isfinite(s) || !std::isnormal(s) || s <= 0) {
        return absl::InvalidArgumentError(absl::StrCat("has scale ", s, "; a finite, normal, positive number is needed"));
      }
    }
    int64_t inner = 1;
    for (int d = static_cast<int>(axis) + 1; d < w.shape().rank(); ++d) inner *= w.shape().dim(d);
    OMKIT_ASSIGN_OR_RETURN(Tensor q, Tensor::Allocate(DType::kInt8, w.shape()));
    const int half = 1 << (e.bits - 1);
    for (int64_t i = 0; i < w.elements(); ++i) {
      const int64_t c = n == 1 ? 0 : i / inner % n;
      const auto zero = static_cast<int32_t>(e.symmetric ? 0 : std::max<int64_t>(-128, std::min<int64_t>(127, e.zero[c] - half)));
      q.mutable_data<int8_t>()[i] = static_cast<int8_t>(QuantizeValue(w.data<float>()[i], e.scale[c], zero, -half, half - 1));
    }
    const std::string name = graph_.value(v).name;
    ir::Attrs attrs;
    attrs.Set("axis", axis);
    Encoding stored = e;
    for (int64_t& z : stored.zero) z += 128 - half;  // Linear takes 128 off
    ValueId zero;
    const ValueId scale = Linear(name, stored, true, &zero);
    const ValueId integers = graph_.AddConstant(absl::StrCat(name, ":quantized"), std::move(q));
    const NodeId dq = graph_.AddNode(OpKind::kDequantizeLinear, absl::StrCat(name, ":dequantize"), {integers, scale, zero}, attrs);
    graph_.ReplaceUses(v, graph_.node(dq).outputs[0]);
    return absl::OkStatus();
  }

  Graph& graph_;
  std::map<std::string, ValueId> values_;
};

}  // namespace

absl::StatusOr<int> ApplyEncodings(absl::string_view json, Graph& graph) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return absl::InvalidArgumentError("is no JSON object");
  std::map<std::string, Encoding> all;
  bool any = false;
  for (const char* section : {"activation_encodings", "param_encodings", "encodings"}) {
    const auto it = root.find(section);
    if (it == root.end()) continue;
    any = true;
    OMKIT_RETURN_IF_ERROR(AddEntries(*it, &all));
  }
  if (!any) return absl::InvalidArgumentError("has neither activation_encodings and param_encodings nor encodings");
  Writer writer(graph);
  int count = 0;
  for (const auto& [name, encoding] : all) {
    const absl::StatusOr<bool> written = writer.Write(name, encoding);
    if (!written.ok()) return Annotate(written.status(), absl::StrCat("tensor '", name, "'"));
    count += *written;
  }
  return count;
}

}  // namespace omkit::frontends
