#include "frontends/onnx/text_model_testing.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "google/protobuf/compiler/importer.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/text_format.h"

namespace omkit::frontends {
namespace {

class Printer : public google::protobuf::compiler::MultiFileErrorCollector, public google::protobuf::io::ErrorCollector {
 public:
  void AddError(const std::string& file, int line, int column, const std::string& message) override {
    std::fprintf(stderr, "%s:%d:%d: %s\n", file.c_str(), line, column, message.c_str());
  }
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    AddError("model text", line, column, message);
  }
};

// Lives for ever: descriptors must outlive every message.
const google::protobuf::Message& Prototype() {
  static const google::protobuf::Message* const prototype = [] {
    auto* tree = new google::protobuf::compiler::DiskSourceTree;
    tree->MapPath("", "external/onnx");
    tree->MapPath("", "../onnx");
    auto* importer = new google::protobuf::compiler::Importer(tree, new Printer);
    const auto* file = importer->Import("onnx/onnx-ml.proto");
    if (file == nullptr) std::abort();
    return (new google::protobuf::DynamicMessageFactory)->GetPrototype(file->FindMessageTypeByName("ModelProto"));
  }();
  return *prototype;
}

}  // namespace

std::string ModelBytesFromText(absl::string_view text) {
  std::unique_ptr<google::protobuf::Message> model(Prototype().New());
  Printer errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(std::string(text), model.get())) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    std::abort();
  }
  return model->SerializePartialAsString();
}

}  // namespace omkit::frontends
