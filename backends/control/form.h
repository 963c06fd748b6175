// What a step of control flow carries as its parameters, on both sides. Floor 4.
//
// Operands of a step: one per body (an offline model, in the weights), the node's inputs that are there, its outputs.
#ifndef OMKIT_BACKENDS_CONTROL_FORM_H_
#define OMKIT_BACKENDS_CONTROL_FORM_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace omkit::control {

constexpr const char* kKernel = "control.run";

enum class Kind : uint64_t { kIf = 0, kLoop = 1, kScan = 2 };

struct Form {
  Kind kind = Kind::kIf;
  bool has_trips = false;  // Loop: inputs M and cond are given
  bool has_condition = false;
  int64_t states = 0;                                  // Loop, Scan
  int64_t scans = 0;                                   // Scan inputs
  int64_t length = 0;                                  // Scan: slices of each scan input and output; Loop: slices that a scan output has room for
  uint64_t reversed_inputs = 0, reversed_outputs = 0;  // bit i: scan input or output i runs backwards
  int64_t unusable = -1;                               // If: the branch whose run is an error
  // Bytes of the operands behind the bodies; scan inputs and outputs with all their slices.
  std::vector<uint64_t> inputs, outputs;

  int bodies() const { return kind == Kind::kIf ? 2 : 1; }
  // Inputs in front of those that every run of a body gets.
  int leading() const { return kind == Kind::kIf ? 1 : kind == Kind::kLoop ? has_trips + has_condition : 0; }
};

inline std::string EncodeForm(const Form& f) {
  std::vector<uint64_t> words = {static_cast<uint64_t>(f.kind),
                                 f.has_trips,
                                 f.has_condition,
                                 static_cast<uint64_t>(f.states),
                                 static_cast<uint64_t>(f.scans),
                                 static_cast<uint64_t>(f.length),
                                 f.reversed_inputs,
                                 f.reversed_outputs,
                                 static_cast<uint64_t>(f.unusable + 1),
                                 f.inputs.size(),
                                 f.outputs.size()};
  words.insert(words.end(), f.inputs.begin(), f.inputs.end());
  words.insert(words.end(), f.outputs.begin(), f.outputs.end());
  return std::string(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint64_t));
}

// False for bytes that no EncodeForm wrote.
inline bool DecodeForm(absl::string_view bytes, Form* f) {
  constexpr size_t kHead = 11;
  constexpr uint64_t kMostOperands = 1 << 16;
  std::vector<uint64_t> words(bytes.size() / sizeof(uint64_t));
  if (bytes.size() % sizeof(uint64_t) != 0 || words.size() < kHead) return false;
  std::memcpy(words.data(), bytes.data(), bytes.size());
  if (words[0] > 2 || words[1] > 1 || words[2] > 1 || words[8] > 2 || words[9] > kMostOperands || words[10] > kMostOperands) return false;
  if (words.size() != kHead + words[9] + words[10] || words[3] > kMostOperands || words[4] > 64 || words[5] > uint64_t{1} << 40) return false;
  f->kind = static_cast<Kind>(words[0]);
  f->has_trips = words[1] != 0;
  f->has_condition = words[2] != 0;
  f->states = static_cast<int64_t>(words[3]);
  f->scans = static_cast<int64_t>(words[4]);
  f->length = static_cast<int64_t>(words[5]);
  f->reversed_inputs = words[6];
  f->reversed_outputs = words[7];
  f->unusable = static_cast<int64_t>(words[8]) - 1;
  f->inputs.assign(words.begin() + kHead, words.begin() + kHead + static_cast<int64_t>(words[9]));
  f->outputs.assign(words.begin() + kHead + static_cast<int64_t>(words[9]), words.end());
  const auto scan_outputs = static_cast<int64_t>(f->outputs.size()) - f->states;
  if (f->kind == Kind::kIf) return f->states == 0 && f->scans == 0 && !f->has_trips && !f->has_condition && !f->inputs.empty();
  if (f->leading() + f->states + f->scans > static_cast<int64_t>(f->inputs.size()) || scan_outputs < 0 || scan_outputs > 64) return false;
  return f->kind == Kind::kLoop ? f->scans == 0 : f->scans > 0 && !f->has_trips && !f->has_condition;
}

}  // namespace omkit::control

#endif  // OMKIT_BACKENDS_CONTROL_FORM_H_
