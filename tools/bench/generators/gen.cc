// The gen program: writes a network of nets.h as an ONNX file.
#include <algorithm>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "tools/bench/generators/nets.h"

namespace omkit::bench {
namespace {

constexpr struct {
  const char* name;
  const char* help;
} kFlags[] = {
    {"net", "NAME   the network"},
    {"out", "FILE   the ONNX file to write"},
    {"size", "N     height and width of the image, or tokens of the sequence, 32 to 4096 (default: the network's usual size)"},
    {"batch", "N    images per execution, 1 to 1024 (default 1)"},
    {"seed", "N     of the weights (default 7)"},
};

std::string Usage() {
  std::string text = absl::StrCat(
      "Writes a well-known network with true shapes and made weights as an ONNX file, to measure speed where the trained model is not at hand.\n\n"
      "Usage: gen --net NAME --out FILE [flags]\n\nNetworks: ",
      absl::StrJoin(NetNames(), ", "), "\n\nFlags (--name=value or --name value):\n");
  for (const auto& flag : kFlags) absl::StrAppend(&text, "  --", flag.name, " ", flag.help, "\n");
  return text;
}

using Values = std::map<std::string, std::string>;

absl::StatusOr<Values> Parse(int argc, char** argv) {
  Values values;
  std::vector<std::string> known;
  for (const auto& flag : kFlags) known.push_back(flag.name);
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    if (!absl::ConsumePrefix(&text, "--")) return absl::InvalidArgumentError(absl::StrCat("'", argv[i], "' is not a flag"));
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    if (std::find(known.begin(), known.end(), parts.first) == known.end()) {
      const std::string nearest = NearestName(parts.first, known);
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag '", parts.first, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?")));
    }
    const bool has_value = absl::StrContains(text, '=');
    if (!has_value && i + 1 == argc) return absl::InvalidArgumentError(absl::StrCat("--", parts.first, " needs a value"));
    if (!values.emplace(parts.first, has_value ? parts.second : argv[++i]).second) {
      return absl::InvalidArgumentError(absl::StrCat("--", parts.first, " is given twice"));
    }
  }
  return values;
}

absl::Status Generate(const Values& values) {
  const auto text = [&](const char* name) {
    const auto it = values.find(name);
    return it == values.end() ? std::string() : it->second;
  };
  if (text("net").empty() || text("out").empty()) return absl::InvalidArgumentError("--net and --out are needed");
  NetOptions options;
  if (!text("size").empty() && !absl::SimpleAtoi(text("size"), &options.size)) return absl::InvalidArgumentError("--size is not a number");
  if (!text("batch").empty() && (!absl::SimpleAtoi(text("batch"), &options.batch) || options.batch > 1024)) {
    return absl::InvalidArgumentError("--batch is not a number from 1 to 1024");
  }
  if (!text("seed").empty() && !absl::SimpleAtoi(text("seed"), &options.seed)) return absl::InvalidArgumentError("--seed is not a number");
  OMKIT_ASSIGN_OR_RETURN(const NetBuilder net, MakeNet(text("net"), options));
  OMKIT_RETURN_IF_ERROR(WriteFile(text("out"), net.model().SerializeAsString()));
  std::cout << absl::StrFormat("%s: %.3f G multiply-adds per image, %.2f M parameters, %s\n", text("net"),
                               static_cast<double>(net.multiply_adds()) * 1e-9, static_cast<double>(net.parameters()) * 1e-6, text("out"));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]) == "--help" || absl::string_view(argv[i]) == "-h") {
      std::cout << Usage();
      return 0;
    }
  }
  const absl::StatusOr<Values> values = Parse(argc, argv);
  const absl::Status status = values.ok() ? Generate(*values) : values.status();
  if (status.ok()) return 0;
  std::cerr << "gen: " << status.message() << "\nTry 'gen --help'.\n";
  return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
}

}  // namespace
}  // namespace omkit::bench

int main(int argc, char** argv) { return omkit::bench::Main(argc, argv); }
