// The standard's own node tests, run twice: through the importer and the interpreter, and through a whole compile. Every test that imports
// must give the standard's outputs, but for exceptions.inc. Tests that do not import must be of a kind that skipped.inc names; the list of
// them is part of the output.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/conformance/suite.h"

namespace omkit::conformance {
namespace {

// Below these many agreeing tests something is wrong with the test itself or an operator was lost.
constexpr int kFewestInterpreted = 1198;
constexpr int kFewestCompiled = 1198;

const std::map<std::string, std::string>& Exceptions() {
  static const auto* const map = new std::map<std::string, std::string>{
#define EXCEPTION(test, reason) {"test_" #test, reason},
#include "tests/conformance/exceptions.inc"
#undef EXCEPTION
  };
  return *map;
}

struct Skip {
  const char* kind;
  const char* text;  // stands in the importer's message
};

constexpr Skip kSkips[] = {
#define SKIP(kind, text) {kind, text},
#include "tests/conformance/skipped.inc"
#undef SKIP
};

// Empty when nothing names it.
std::string KindOf(const std::string& message) {
  for (const Skip& skip : kSkips) {
    if (absl::StrContains(message, skip.text)) return skip.kind;
  }
  return "";
}

std::string Root() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  return absl::StrCat(runfiles == nullptr ? "." : runfiles, "/onnx/onnx/backend/test/data/node");
}

int Agreeing(const char* how, Result (*run)(const std::string& folder)) {
  const std::vector<std::string> tests = ListFolder(Root());
  EXPECT_FALSE(tests.empty()) << "no node tests in " << Root();
  int passed = 0, excepted = 0;
  std::map<std::string, std::vector<std::string>> skipped;
  for (const std::string& test : tests) {
    const Result result = run(absl::StrCat(Root(), "/", test));
    const auto exception = Exceptions().find(test);
    if (exception != Exceptions().end()) {
      ++excepted;
      EXPECT_NE(result.outcome, Outcome::kAgrees) << test << " agrees now: take it off the exceptions";
      continue;
    }
    if (result.outcome == Outcome::kRefused) {
      const std::string kind = KindOf(std::string(result.status.message()));
      EXPECT_FALSE(kind.empty()) << test << " is refused for a reason that skipped.inc does not know: " << result.status;
      skipped[kind].push_back(test);
      continue;
    }
    EXPECT_EQ(result.outcome, Outcome::kAgrees) << test << ": " << result.status;
    passed += result.outcome == Outcome::kAgrees;
  }
  int left_out = 0;
  for (const auto& [kind, names] : skipped) {
    std::printf("skipped, %s: %d\n", kind.c_str(), static_cast<int>(names.size()));
    for (const std::string& name : names) std::printf("  %s\n", name.c_str());
    left_out += static_cast<int>(names.size());
  }
  std::printf("%s: %d of %d node tests agree, %d are skipped, %d excepted\n", how, passed, static_cast<int>(tests.size()), left_out, excepted);
  return passed;
}

TEST(OnnxNodeTests, InterpreterAgreesWithTheStandard) { EXPECT_GE(Agreeing("interpreted", RunInterpreted), kFewestInterpreted); }

TEST(OnnxNodeTests, CompiledModelsAgreeWithTheStandard) { EXPECT_GE(Agreeing("compiled", RunCompiled), kFewestCompiled); }

}  // namespace
}  // namespace omkit::conformance
