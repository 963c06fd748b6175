// Reads tensors that an ONNX file keeps in other files of its folder. Floor 3, part of the ONNX importer.
//
// A location is a relative path inside the model's folder. Each component is opened by itself without following symbolic links,
// and a file with more than one hard link is refused, so no location can reach outside the folder.
#ifndef OMKIT_FRONTENDS_ONNX_EXTERNAL_DATA_H_
#define OMKIT_FRONTENDS_ONNX_EXTERNAL_DATA_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

// One import's view of the folder; keeps its files open. Not thread-safe.
class ExternalFiles {
 public:
  // An empty directory means that external data is not available; every Read then fails.
  explicit ExternalFiles(absl::string_view directory) : directory_(directory) {}
  ~ExternalFiles();
  ExternalFiles(const ExternalFiles&) = delete;
  ExternalFiles& operator=(const ExternalFiles&) = delete;

  // The checks of Read without reading: what a caller asks before it allocates the bytes a file claims to have.
  absl::Status Check(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries, uint64_t bytes);
  // Fills `bytes` bytes at `out` from the entries of TensorProto.external_data: location, offset, length, checksum (not
  // verified). `length`, when given, must equal `bytes`. Unknown keys, duplicate keys and ranges outside the file are errors.
  absl::Status Read(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries, uint64_t bytes, void* out);

 private:
  struct File {
    int fd = -1;
    uint64_t size = 0;
    uint64_t bytes_read = 0;  // bounds what overlapping tensors may take
  };
  struct Span {
    File* file;
    uint64_t offset;
    std::string location;
  };
  absl::StatusOr<File*> Open(const std::string& location);
  absl::StatusOr<Span> Locate(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries, uint64_t bytes);

  std::string directory_;
  int directory_fd_ = -1;
  std::map<std::string, File> files_;
};

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_EXTERNAL_DATA_H_
