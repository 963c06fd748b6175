#include "frontends/onnx/importer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/dynamic_quantization.h"
#include "frontends/onnx/graph_importer.h"
#include "frontends/onnx/inline_functions.h"
#include "frontends/onnx/op_map.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {
namespace {

absl::Status ReadOpsets(const onnx::ModelProto& model, ModelContext& context) {
  for (const auto& import : model.opset_import()) {
    const std::string domain = IsDefaultDomain(import.domain()) ? "" : import.domain();
    const auto [known, fresh] = context.opsets.emplace(domain, import.version());
    if (!domain.empty()) continue;
    const int64_t opset = import.version();
    if (!fresh && known->second != opset) {
      return absl::InvalidArgumentError(absl::StrCat("the default domain is imported twice, as opset ", known->second, " and ", opset));
    }
    if (opset < 1) return absl::InvalidArgumentError(absl::StrCat("opset ", opset, " does not exist"));
    if (opset > kMaxOpset) {
      return absl::UnimplementedError(absl::StrCat("opset ", opset, " is not supported; supported: ", kMinOpset, " to ", kMaxOpset,
                                                   ". Export the network again with a supported opset"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(const onnx::ModelProto& model, ModelContext& context) {
  if (!model.has_ir_version() && !model.has_graph()) return absl::InvalidArgumentError("is not an ONNX model: it has no IR version and no graph");
  const int64_t ir_version = model.ir_version();
  if (ir_version < 1) return absl::InvalidArgumentError(absl::StrCat("IR version ", ir_version, " does not exist"));
  if (ir_version < kMinIrVersion || ir_version > kMaxIrVersion) {
    return absl::UnimplementedError(absl::StrCat("IR version ", ir_version, " is not supported; supported: ", kMinIrVersion, " to ", kMaxIrVersion));
  }
  if (!model.has_graph()) return absl::InvalidArgumentError("ONNX model has no graph");
  OMKIT_RETURN_IF_ERROR(ReadOpsets(model, context));
  const auto& nodes = model.graph().node();
  if (nodes.empty()) return absl::InvalidArgumentError("the graph has no nodes");
  const bool needs_opset = std::any_of(nodes.begin(), nodes.end(), [](const auto& node) { return IsDefaultDomain(node.domain()); });
  if (context.opsets.count("") == 0 && needs_opset) return absl::InvalidArgumentError("the model imports no opset of the default domain");
  if (model.graph().output_size() == 0) return absl::InvalidArgumentError("the graph has no outputs");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ir::Graph>> Import(onnx::ModelProto* model, const std::string& directory) {
  ModelContext context(directory);
  OMKIT_RETURN_IF_ERROR(CheckHeader(*model, context));
  OMKIT_RETURN_IF_ERROR(InlineFunctions(model, context));
  JoinDynamicQuantization(model);
  OMKIT_RETURN_IF_ERROR(NameNodes(model->graph(), context));
  FindUnsupportedOps(model->graph(), context);
  OMKIT_RETURN_IF_ERROR(context.unsupported.ToStatus());
  OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Graph> graph, GraphImporter(model->mutable_graph(), &context, nullptr, {}).Run());
  OMKIT_RETURN_IF_ERROR(context.unsupported.ToStatus());
  const auto opset = context.opsets.find("");
  graph->source_opset = opset == context.opsets.end() ? 0 : opset->second;
  return graph;
}

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportModel(onnx::ModelProto* model, const std::string& source, const std::string& directory) {
  absl::StatusOr<std::unique_ptr<ir::Graph>> graph = Import(model, directory);
  if (!graph.ok()) return Annotate(graph.status(), source);
  (*graph)->source = source;
  return graph;
}

absl::Status NotAModel(const std::string& source) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": is not an ONNX model (its protobuf encoding is broken, cut off or nested too deeply)"));
}

absl::Status FileError(const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot open ", path, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnxBytes(absl::string_view bytes, const std::string& source_name,
                                                           const std::string& directory_for_external_data) {
  onnx::ModelProto model;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat(source_name, ": is larger than 2 GB; store the weights as external data"));
  }
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return NotAModel(source_name);
  return ImportModel(&model, source_name, directory_for_external_data);
}

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnx(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, errno);
  struct stat info;
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular || info.st_size > std::numeric_limits<int>::max()) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat(path, regular ? ": is larger than 2 GB; store the weights as external data" : ": is not a regular file"));
  }
  onnx::ModelProto model;
  bool parsed;
  {
    google::protobuf::io::FileInputStream stream(fd);
    stream.SetCloseOnDelete(true);
    parsed = model.ParseFromZeroCopyStream(&stream) && stream.GetErrno() == 0;
  }
  if (!parsed) return NotAModel(path);
  const size_t slash = path.rfind('/');
  return ImportModel(&model, path, slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

}  // namespace omkit::frontends
