// Attributes of a node: a small ordered map of typed values. Floor 2, part of ir::Graph.
#ifndef OMKIT_IR_ATTRS_H_
#define OMKIT_IR_ATTRS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/tensor.h"

namespace omkit::ir {

using Attr = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, std::vector<std::string>, Tensor>;

// Getters return the fallback when the attribute is absent or has another type; importers check types before storing.
class Attrs {
 public:
  bool Has(absl::string_view name) const { return map_.find(std::string(name)) != map_.end(); }
  const Attr* Find(absl::string_view name) const;
  void Set(absl::string_view name, Attr value) { map_[std::string(name)] = std::move(value); }
  void Erase(absl::string_view name) { map_.erase(std::string(name)); }

  int64_t Int(absl::string_view name, int64_t fallback) const { return Get<int64_t>(name, fallback); }
  float Float(absl::string_view name, float fallback) const { return Get<float>(name, fallback); }
  std::string String(absl::string_view name, absl::string_view fallback) const { return Get<std::string>(name, std::string(fallback)); }
  std::vector<int64_t> Ints(absl::string_view name, std::vector<int64_t> fallback = {}) const {
    return Get<std::vector<int64_t>>(name, std::move(fallback));
  }
  std::vector<float> Floats(absl::string_view name, std::vector<float> fallback = {}) const {
    return Get<std::vector<float>>(name, std::move(fallback));
  }

  const std::map<std::string, Attr>& map() const { return map_; }

 private:
  template <typename T>
  T Get(absl::string_view name, T fallback) const {
    const Attr* attr = Find(name);
    const T* value = attr == nullptr ? nullptr : std::get_if<T>(attr);
    return value == nullptr ? std::move(fallback) : *value;
  }

  std::map<std::string, Attr> map_;
};

}  // namespace omkit::ir

#endif  // OMKIT_IR_ATTRS_H_
