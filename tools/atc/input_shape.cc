#include "tools/atc/input_shape.h"

#include <algorithm>
#include <map>
#include <set>

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

using runtime::DimRange;

constexpr int64_t kLargestDim = int64_t{1} << 40;
constexpr char kForm[] = "\"input_name1:n1,c1,h1,w1;input_name2:n2,c2,h2,w2\"";
constexpr char kRangeForm[] = "\"input_name1:[n1~n2,c1,h1,w1];input_name2:[n2,c2~c3,h2,-1]\"";

// What a list of dims may be refused for; each flag has a code of its own for it.
struct Refusal {
  bool not_positive = false;  // E10011 of --input_shape
  std::string what;           // the text that is wrong
  std::string reason;
};

bool ParseNumber(absl::string_view text, int64_t* number, Refusal* refusal) {
  text = absl::StripAsciiWhitespace(text);
  refusal->what = std::string(text);
  if (text.find('.') != text.npos) refusal->reason = "The float number is unsupported";
  else if (!absl::SimpleAtoi(text, number)) refusal->reason = absl::StrCat("'", text, "' is not a number");
  else if (*number < 1 || *number > kLargestDim) refusal->not_positive = true, refusal->reason = absl::StrCat("'", text, "' is not a positive size");
  else return true;
  return false;
}

bool ParseDim(absl::string_view text, InputShape* shape, Refusal* refusal) {
  text = absl::StripAsciiWhitespace(text);
  DimRange range;
  const size_t tilde = text.find('~');
  const bool open = text == "-1";
  if (open) {
    range = {1, -1};
  } else if (tilde == text.npos) {
    if (!ParseNumber(text, &range.least, refusal)) return false;
    range.most = range.least;
  } else {
    const absl::string_view most = absl::StripAsciiWhitespace(text.substr(tilde + 1));
    if (!ParseNumber(text.substr(0, tilde), &range.least, refusal)) return false;
    if (most != "-1" && !ParseNumber(most, &range.most, refusal)) return false;
    if (range.most != -1 && range.most < range.least) {
      *refusal = {false, std::string(text), absl::StrCat("The range '", text, "' ends before it begins")};
      return false;
    }
  }
  shape->dims.push_back(range);
  shape->written_open.push_back(open);
  return true;
}

bool ParseDims(absl::string_view text, InputShape* shape, Refusal* refusal) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return true;
  for (absl::string_view dim : absl::StrSplit(text, ',')) {
    if (!ParseDim(dim, shape, refusal)) return false;
  }
  if (shape->dims.size() <= kMaxRank) return true;
  *refusal = {false, std::string(text), absl::StrCat("More than ", kMaxRank, " dimensions")};
  return false;
}

// "[...]" without its brackets.
bool TakeBrackets(absl::string_view* text) {
  *text = absl::StripAsciiWhitespace(*text);
  if (text->size() < 2 || text->front() != '[' || text->back() != ']') return false;
  *text = text->substr(1, text->size() - 2);
  return true;
}

// The name of a repeated item, or "".
std::string Repeated(const InputShapes& shapes) {
  std::set<std::string> names;
  for (const InputShape& shape : shapes) {
    if (!shape.name.empty() && !names.insert(shape.name).second) return shape.name;
  }
  return "";
}

bool NoneNamed(const InputShapes& shapes) {
  return std::all_of(shapes.begin(), shapes.end(), [](const InputShape& shape) { return shape.name.empty(); });
}

bool AllNamed(const InputShapes& shapes) {
  return std::none_of(shapes.begin(), shapes.end(), [](const InputShape& shape) { return shape.name.empty(); });
}

// A dimension that the model fixes must be one of those asked for.
absl::Status CheckModelDims(const InputShape& shape, const Shape& model) {
  for (int d = 0; d < model.rank(); ++d) {
    const DimRange& range = shape.dims[d];
    const int64_t dim = model.dim(d);
    if (dim == kUnknownDim || IsFixed(range) || (dim >= range.least && (range.most == -1 || dim <= range.most))) continue;
    return Error(ErrorCode::E10050, {absl::StrCat(dim), absl::StrCat(d), shape.name, absl::StrCat(range.least, "~", range.most)});
  }
  return absl::OkStatus();
}

}  // namespace

bool AnyOpen(const InputShapes& shapes) {
  return std::any_of(shapes.begin(), shapes.end(), [](const InputShape& shape) {
    return std::any_of(shape.dims.begin(), shape.dims.end(), [](const DimRange& range) { return !IsFixed(range); });
  });
}

std::vector<int64_t> Dims(const InputShape& shape) {
  std::vector<int64_t> dims;
  for (const DimRange& range : shape.dims) dims.push_back(IsFixed(range) ? range.least : kUnknownDim);
  return dims;
}

absl::StatusOr<InputShapes> ParseInputShape(const std::string& text) {
  InputShapes shapes;
  const auto refuse = [&](absl::string_view reason) { return Error(ErrorCode::E10002, {text, std::string(reason), kForm}); };
  for (const absl::string_view item : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    InputShape shape;
    const size_t colon = item.rfind(':');
    shape.name = std::string(absl::StripAsciiWhitespace(item.substr(0, colon == item.npos ? 0 : colon)));
    if (colon != item.npos && shape.name.empty()) return refuse("The shape must contain two parts: name and value");
    Refusal refusal;
    if (!ParseDims(colon == item.npos ? item : item.substr(colon + 1), &shape, &refusal)) {
      // Without a colon it may well be a name that is meant.
      if (colon == item.npos) return refuse("The shape must contain two parts: name and value");
      if (refusal.not_positive) return Error(ErrorCode::E10011, {text, refusal.what});
      return refuse(refusal.reason);
    }
    shapes.push_back(std::move(shape));
  }
  if (!text.empty() && shapes.empty()) return refuse("The shape must contain two parts: name and value");
  if (!AllNamed(shapes) && !(NoneNamed(shapes) && AnyOpen(shapes))) return refuse("The shape must contain two parts: name and value");
  const std::string twice = Repeated(shapes);
  if (!twice.empty()) return refuse(absl::StrCat("Input '", twice, "' is given twice"));
  return shapes;
}

absl::StatusOr<InputShapes> ParseInputShapeRange(const std::string& text) {
  const auto refuse = [&](absl::string_view reason) { return Error(ErrorCode::E10048, {text, std::string(reason), kRangeForm}); };
  InputShapes shapes;
  // Without names items may be separated by commas: "[1~2,3],[4,5]".
  std::string separated = text;
  for (size_t at = separated.find("],["); at != separated.npos; at = separated.find("],[")) separated[at + 1] = ';';
  for (absl::string_view item : absl::StrSplit(separated, ';', absl::SkipEmpty())) {
    InputShape shape;
    const size_t bracket = item.find('[');
    const size_t colon = bracket == item.npos ? item.npos : item.rfind(':', bracket);
    if (colon != item.npos) {
      shape.name = std::string(absl::StripAsciiWhitespace(item.substr(0, colon)));
      if (shape.name.empty()) return refuse("A name is empty");
      item = item.substr(colon + 1);
    }
    if (!TakeBrackets(&item)) return refuse("Ranges must stand in brackets");
    Refusal refusal;
    if (!ParseDims(item, &shape, &refusal)) return refuse(refusal.reason);
    shapes.push_back(std::move(shape));
  }
  if (shapes.empty()) return refuse("There is no range");
  if (!AllNamed(shapes) && !NoneNamed(shapes)) return refuse("Either all inputs have names or none");
  const std::string twice = Repeated(shapes);
  if (!twice.empty()) return refuse(absl::StrCat("Input '", twice, "' is given twice"));
  return shapes;
}

absl::StatusOr<InputShapes> ParseInputHintShape(const std::string& text) {
  const auto refuse = [&](absl::string_view reason) {
    return Error(ErrorCode::E10003,
                 {text, "input_hint_shape", absl::StrCat(reason, ". The value must be formatted as \"0:[n,c,h,w];1:[n,c,h,w]\".")});
  };
  InputShapes shapes;
  for (absl::string_view item : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const size_t colon = item.find(':');
    int index = 0;
    if (colon == item.npos || !absl::SimpleAtoi(item.substr(0, colon), &index) || index < 0 || index > 4096)
      return refuse("An item begins with the number of an input");
    item = item.substr(colon + 1);
    InputShape shape;
    Refusal refusal;
    if (!TakeBrackets(&item)) return refuse("A shape must stand in brackets");
    if (!ParseDims(item, &shape, &refusal)) return refuse(refusal.reason);
    if (AnyOpen({shape})) return refuse("A hint is a shape without -1 and ranges");
    if (static_cast<size_t>(index) >= shapes.size()) shapes.resize(index + 1);
    if (!shapes[index].dims.empty()) return refuse(absl::StrCat("Input ", index, " is given twice"));
    shapes[index] = std::move(shape);
  }
  return shapes;
}

absl::StatusOr<InputShapes> MatchInputs(InputShapes shapes, const ir::Graph& graph, const std::string& flag) {
  std::vector<std::string> names;
  std::map<std::string, const Shape*> inputs;
  for (const ir::ValueId id : graph.inputs()) {
    names.push_back(graph.value(id).name);
    inputs[names.back()] = &graph.value(id).type.shape;
  }
  if (shapes.size() > names.size() && NoneNamed(shapes)) {
    return Error(ErrorCode::E10002, {absl::StrCat(shapes.size(), " shapes"), absl::StrCat("The model has ", names.size(), " inputs"), kForm});
  }
  std::set<std::string> given;
  for (size_t i = 0; i < shapes.size(); ++i) {
    InputShape& shape = shapes[i];
    if (shape.name.empty()) shape.name = names[i];
    const auto input = inputs.find(shape.name);
    if (input == inputs.end()) {
      const std::string near = NearestName(shape.name, names);
      return Error(ErrorCode::E10016, {shape.name, flag,
                                       absl::StrCat("The model's inputs are: ", absl::StrJoin(names, ", "), ".",
                                                    near.empty() ? "" : absl::StrCat(" Did you mean '", near, "'?"))});
    }
    const int rank = input->second->rank();
    if (static_cast<int>(shape.dims.size()) != rank)
      return Error(ErrorCode::E10049, {absl::StrCat(shape.dims.size()), absl::StrCat(rank), shape.name});
    OMKIT_RETURN_IF_ERROR(CheckModelDims(shape, *input->second));
    given.insert(shape.name);
  }
  for (const std::string& name : names) {
    if (!inputs[name]->IsStatic() && given.count(name) == 0) return Error(ErrorCode::E11005, {name, inputs[name]->ToString()});
  }
  return shapes;
}

}  // namespace omkit::atc
