#include <cstdio>
#include <cstdlib>
#include <string>

#include "flatbuffers/code_generator.h"
#include "flatbuffers/flatc.h"
#include "flatbuffers/idl.h"
#include "idl_gen_cpp.h"

namespace {

void Warn(const flatbuffers::FlatCompiler*, const std::string& message, bool) { std::fprintf(stderr, "flatc: warning: %s\n", message.c_str()); }

void Error(const flatbuffers::FlatCompiler*, const std::string& message, bool, bool) {
  std::fprintf(stderr, "flatc: error: %s\n", message.c_str());
  std::exit(1);
}

}  // namespace

namespace flatbuffers {
void LogCompilerWarn(const std::string& message) { Warn(nullptr, message, false); }
void LogCompilerError(const std::string& message) { Error(nullptr, message, false, false); }
// Referenced by the C++ generator; --grpc is the only way to reach it.
bool GenerateCppGRPC(const Parser&, const std::string&, const std::string&) { return false; }
}  // namespace flatbuffers

int main(int argc, const char* argv[]) {
  flatbuffers::FlatCompiler::InitParams params;
  params.warn_fn = Warn;
  params.error_fn = Error;
  flatbuffers::FlatCompiler flatc(params);
  flatc.RegisterCodeGenerator({"c", "cpp", "", "Generate C++ headers for tables/structs"}, flatbuffers::NewCppCodeGenerator());
  return flatc.Compile(flatc.ParseFromCommandLineArguments(argc, argv));
}
