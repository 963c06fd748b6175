// run_suite FOLDER...: every test under the folders, interpreted and compiled. Prints those that differ and the kinds of those that do not
// import; exit status 1 when one differs.
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/conformance/suite.h"

int main(int argc, char** argv) {
  using omkit::conformance::Outcome;
  bool all_agree = true;
  for (int i = 1; i < argc; ++i) {
    int tests = 0, agree = 0, refused = 0;
    for (const std::string& test : omkit::conformance::ListFolder(argv[i])) {
      const std::string folder = absl::StrCat(argv[i], "/", test);
      ++tests;
      auto result = omkit::conformance::RunInterpreted(folder);
      if (result.outcome == Outcome::kAgrees) result = omkit::conformance::RunCompiled(folder);
      agree += result.outcome == Outcome::kAgrees;
      refused += result.outcome == Outcome::kRefused;
      all_agree = all_agree && result.outcome != Outcome::kDiffers;
      if (result.outcome == Outcome::kAgrees) continue;
      std::printf("%s %s: %s\n", result.outcome == Outcome::kRefused ? "refused" : "DIFFERS", test.c_str(), result.status.ToString().c_str());
    }
    std::printf("%s: %d tests, %d agree, %d refused\n", argv[i], tests, agree, refused);
  }
  return all_agree ? 0 : 1;
}
