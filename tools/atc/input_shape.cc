#include "tools/atc/input_shape.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/shape.h"
#include "base/status.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

constexpr char kForm[] = "\"input_name1:n1,c1,h1,w1;input_name2:n2,c2,h2,w2\"";

absl::StatusOr<int64_t> ParseDim(const std::string& text, absl::string_view dim) {
  dim = absl::StripAsciiWhitespace(dim);
  if (dim.find('.') != dim.npos) return Error(ErrorCode::E10002, {text, "The float number is unsupported", kForm});
  if (dim == "-1" || dim.find('~') != dim.npos) {
    return Error(ErrorCode::E10055,
                 {absl::StrCat("dimension '", dim, "' in --input_shape asks for a shape that changes at run time; give a fixed number")});
  }
  int64_t value = 0;
  if (!absl::SimpleAtoi(dim, &value)) {
    return Error(ErrorCode::E10002, {text, absl::StrCat("'", dim, "' is not a number"), kForm});
  }
  if (value < 1 || value > (int64_t{1} << 40)) return Error(ErrorCode::E10011, {text, std::string(dim)});
  return value;
}

}  // namespace

absl::StatusOr<InputShapes> ParseInputShape(const std::string& text) {
  InputShapes shapes;
  for (const absl::string_view item : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const size_t colon = item.rfind(':');
    const std::string name(absl::StripAsciiWhitespace(item.substr(0, colon == item.npos ? 0 : colon)));
    if (name.empty()) return Error(ErrorCode::E10002, {text, "The shape must contain two parts: name and value", kForm});
    std::vector<int64_t> dims;
    const absl::string_view value = absl::StripAsciiWhitespace(item.substr(colon + 1));
    if (!value.empty()) {
      for (absl::string_view dim : absl::StrSplit(value, ',')) {
        OMKIT_ASSIGN_OR_RETURN(const int64_t number, ParseDim(text, dim));
        dims.push_back(number);
      }
    }
    if (dims.size() > kMaxRank) return Error(ErrorCode::E10002, {text, absl::StrCat("More than ", kMaxRank, " dimensions"), kForm});
    if (!shapes.emplace(name, std::move(dims)).second) {
      return Error(ErrorCode::E10002, {text, absl::StrCat("Input '", name, "' is given twice"), kForm});
    }
  }
  if (!text.empty() && shapes.empty()) return Error(ErrorCode::E10002, {text, "The shape must contain two parts: name and value", kForm});
  return shapes;
}

absl::Status CheckInputShapes(const InputShapes& shapes, const ir::Graph& graph) {
  std::vector<std::string> names;
  std::map<std::string, const Shape*> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    names.push_back(graph.value(id).name);
    inputs[names.back()] = &graph.value(id).type.shape;
  }
  for (const auto& [name, dims] : shapes) {
    const auto input = inputs.find(name);
    if (input == inputs.end()) {
      const std::string near = NearestName(name, names);
      return Error(ErrorCode::E10016, {name, "input_shape",
                                       absl::StrCat("The model's inputs are: ", absl::StrJoin(names, ", "), ".",
                                                    near.empty() ? "" : absl::StrCat(" Did you mean '", near, "'?"))});
    }
    const int rank = input->second->rank();
    if (static_cast<int>(dims.size()) != rank) return Error(ErrorCode::E10049, {absl::StrCat(dims.size()), absl::StrCat(rank), name});
  }
  for (const std::string& name : names) {
    if (!inputs[name]->IsStatic() && shapes.count(name) == 0) return Error(ErrorCode::E11005, {name, inputs[name]->ToString()});
  }
  return absl::OkStatus();
}

}  // namespace omkit::atc
