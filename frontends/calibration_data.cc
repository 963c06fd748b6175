#include "frontends/calibration_data.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "frontends/image_file.h"
#include "frontends/npy.h"

namespace omkit::frontends {
namespace {

struct Folder {
  std::vector<std::string> samples;  // *.bin, *.npy and pictures, sorted by bytes
  int others = 0;
};

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

absl::StatusOr<Folder> List(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) {
    const int error = errno;
    const std::string text = absl::StrCat("calibration data: cannot open folder '", path, "': ", std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
  }
  Folder folder;
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name[0] == '.') continue;
    const bool sample = absl::EndsWith(name, ".bin") || absl::EndsWith(name, ".npy") || IsImageFileName(name);
    if (sample) folder.samples.push_back(name);
    else ++folder.others;
  }
  closedir(dir);
  std::sort(folder.samples.begin(), folder.samples.end());
  return folder;
}

uint64_t Bytes(const TensorType& type) { return static_cast<uint64_t>(type.shape.elements()) * SizeOf(type.dtype); }

std::string Needs(const std::string& input, const TensorType& type) {
  return absl::StrCat("input '", input, "' needs ", Name(type.dtype), " ", type.shape.ToString(), " = ", Bytes(type), " bytes per sample");
}

absl::Status WrongSize(const std::string& path, uint64_t bytes, const std::string& name, const TensorType& type) {
  std::string text = absl::StrCat("calibration data: '", path, "' has ", bytes, " bytes of values but ", Needs(name, type));
  const uint64_t batch = type.shape.rank() > 0 ? static_cast<uint64_t>(type.shape.dim(0)) : 1;
  if (batch > 1 && bytes > 0 && bytes % (Bytes(type) / batch) == 0) {
    absl::StrAppend(&text, "; the model has batch ", batch, ", so a file must hold ", batch, " items (or a multiple)");
  } else if (type.dtype == DType::kFloat32 && bytes * 4 == Bytes(type)) {
    absl::StrAppend(&text, "; the file looks like 8-bit values");
  }
  return absl::InvalidArgumentError(text);
}

// The shape, except that the first dimension may be a multiple, or left out when it is 1.
bool FitsShape(const std::vector<int64_t>& have, const Shape& want) {
  const std::vector<int64_t>& dims = want.vec();
  if (have == dims) return true;
  if (dims.empty()) return have.size() == 1;
  if (have.size() == dims.size()) {
    return dims[0] > 0 && have[0] % dims[0] == 0 && std::equal(have.begin() + 1, have.end(), dims.begin() + 1);
  }
  return dims[0] == 1 && have.size() + 1 == dims.size() && std::equal(have.begin(), have.end(), dims.begin() + 1);
}

absl::StatusOr<uint64_t> NpyDataOffset(const std::string& path, const std::string& name, const TensorType& type) {
  std::string start(kMaxNpyHeader, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(file.gcount()));
  const absl::StatusOr<NpyHeader> header = ParseNpyHeader(start);
  if (!header.ok()) return Annotate(header.status(), absl::StrCat("calibration data: '", path, "'"));
  if (header->dtype != type.dtype || !FitsShape(header->shape, type.shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("calibration data: '", path, "' holds ", Name(header->dtype), " ", Shape(header->shape).ToString(), " but ", Needs(name, type)));
  }
  return header->data_offset;
}

template <typename Value>
int64_t FindNonFinite(const Tensor& tensor, Value value) {
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (!std::isfinite(value(i))) return i;
  }
  return -1;
}

int64_t FirstNonFinite(const Tensor& t) {
  switch (t.dtype()) {
    case DType::kFloat32: return FindNonFinite(t, [v = t.data<float>()](int64_t i) { return v[i]; });
    case DType::kFloat64: return FindNonFinite(t, [v = t.data<double>()](int64_t i) { return v[i]; });
    case DType::kFloat16: return FindNonFinite(t, [v = t.data<Float16>()](int64_t i) { return FromFloat16(v[i]); });
    case DType::kBFloat16: return FindNonFinite(t, [v = t.data<BFloat16>()](int64_t i) { return FromBFloat16(v[i]); });
    default: return -1;
  }
}

std::string FolderName(const std::string& input) { return absl::StrReplaceAll(input, {{"/", "_"}, {":", "_"}}); }

// The folder of one input: "<directory>/<name>", or with the replaced name.
absl::StatusOr<std::string> InputFolder(const std::string& directory, const std::string& input) {
  const std::string replaced = FolderName(input);
  const bool plain = input.find('/') == std::string::npos && input != "." && input != "..";
  if (plain && IsFolder(absl::StrCat(directory, "/", input))) return absl::StrCat(directory, "/", input);
  if (replaced != "." && replaced != ".." && IsFolder(absl::StrCat(directory, "/", replaced))) return absl::StrCat(directory, "/", replaced);
  return absl::InvalidArgumentError(absl::StrCat("calibration data: the model has several inputs, so '", directory,
                                                 "' must have one folder per input; folder '", replaced, "' for input '", input, "' is missing"));
}

}  // namespace

absl::Status CalibrationData::AddFile(const std::string& path, const std::string& name, Input* input) const {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("calibration data: '", path, "' is not a readable regular file"));
  }
  input->file_names.push_back(name);
  if (IsImageFileName(name)) {
    if (!input->read) {
      return absl::InvalidArgumentError(absl::StrCat("calibration data: '", path, "' is a picture; say how it becomes input '", input->name,
                                                     "' with --calibrate_preprocess or a static AIPP configuration, or give *.bin or *.npy files"));
    }
    input->files.push_back({path, 0, input->samples++, true});
    return absl::OkStatus();
  }
  const uint64_t unit = Bytes(input->type);
  if (unit == 0) return absl::InvalidArgumentError(absl::StrCat("calibration data: input '", input->name, "' has no elements"));
  uint64_t offset = 0;
  if (absl::EndsWith(name, ".npy")) {
    OMKIT_ASSIGN_OR_RETURN(offset, NpyDataOffset(path, input->name, input->type));
  }
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  const uint64_t bytes = size > offset ? size - offset : 0;
  if (bytes == 0 || bytes % unit != 0) return WrongSize(path, bytes, input->name, input->type);
  if (bytes / unit > static_cast<uint64_t>(std::numeric_limits<int>::max() - input->samples)) {
    return absl::InvalidArgumentError("calibration data: more than 2^31 samples");
  }
  input->files.push_back({path, offset, input->samples, false});
  input->samples += static_cast<int>(bytes / unit);
  return absl::OkStatus();
}

absl::Status CalibrationData::ListFiles(const std::string& folder, Input* input) const {
  OMKIT_ASSIGN_OR_RETURN(const Folder listed, List(folder));
  if (listed.samples.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("calibration data: no .bin or .npy files in '", folder, "'",
                                                   listed.others > 0 ? absl::StrCat(" (", listed.others, " other entries)") : "", "; ",
                                                   Needs(input->name, input->type)));
  }
  for (const std::string& name : listed.samples) OMKIT_RETURN_IF_ERROR(AddFile(absl::StrCat(folder, "/", name), name, input));
  return absl::OkStatus();
}

absl::Status CalibrationData::OpenFolders(const std::string& directory) {
  for (Input& input : inputs_) {
    std::string folder = directory;
    if (inputs_.size() > 1) {
      OMKIT_ASSIGN_OR_RETURN(folder, InputFolder(directory, input.name));
    }
    OMKIT_RETURN_IF_ERROR(ListFiles(folder, &input));
  }
  return absl::OkStatus();
}

absl::Status CalibrationData::OpenFiles(const std::vector<std::string>& paths) {
  if (paths.size() != inputs_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("calibration data: ", paths.size(), " files for ", inputs_.size(),
                                                   " inputs; one file per input, in the order of ", "the model's inputs, separated by ','"));
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(AddFile(paths[i], paths[i].substr(paths[i].rfind('/') + 1), &inputs_[i]));
  }
  return absl::OkStatus();
}

absl::Status CalibrationData::CheckAgreement() const {
  const Input& first = inputs_[0];
  for (const Input& input : inputs_) {
    if (input.file_names != first.file_names) {
      const auto differs = std::mismatch(first.file_names.begin(), first.file_names.end(), input.file_names.begin(), input.file_names.end());
      const std::string& name = differs.first != first.file_names.end() ? *differs.first : *differs.second;
      return absl::InvalidArgumentError(absl::StrCat("calibration data: the folders of inputs '", first.name, "' and '", input.name,
                                                     "' hold different files; the first that both do not have is '", name, "'"));
    }
    for (size_t i = 0; i < input.files.size(); ++i) {
      if (input.samples != first.samples || input.files[i].first_sample != first.files[i].first_sample) {
        return absl::InvalidArgumentError(absl::StrCat("calibration data: '", first.files[i].path, "' and '", input.files[i].path,
                                                       "' or the files before them hold different numbers of samples"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CalibrationData> CalibrationData::Open(const std::string& directory, const ir::Graph& graph, const std::string& preprocess,
                                                      const std::map<int, PictureReader>& readers) {
  CalibrationData data;
  PictureReader common;
  if (!preprocess.empty()) {
    OMKIT_ASSIGN_OR_RETURN(const ImagePreprocess parsed, ImagePreprocess::Parse(preprocess));
    common = [parsed](const Image& image, const TensorType& type) { return parsed.Apply(image, type); };
  }
  for (const ir::ValueId id : graph.inputs()) {
    Input input;
    input.name = graph.value(id).name;
    input.type = graph.value(id).type;
    if (!input.type.shape.IsStatic()) {
      return absl::InvalidArgumentError(
          absl::StrCat("calibration data: shape of input '", input.name, "' is not fixed: ", input.type.shape.ToString(), "; give --input_shape"));
    }
    const auto reader = readers.find(static_cast<int>(data.inputs_.size()));
    input.read = common || reader == readers.end() ? common : reader->second;
    data.inputs_.push_back(std::move(input));
  }
  if (data.inputs_.empty()) return absl::InvalidArgumentError("calibration data: the model has no inputs");
  const std::vector<std::string> paths = absl::StrSplit(directory, ',');
  const bool files = !IsFolder(directory) && std::any_of(paths.begin(), paths.end(), IsFile);
  OMKIT_RETURN_IF_ERROR(files ? data.OpenFiles(paths) : data.OpenFolders(directory));
  if (!files) OMKIT_RETURN_IF_ERROR(data.CheckAgreement());
  for (const Input& input : data.inputs_) {
    if (input.samples != data.inputs_[0].samples) {
      return absl::InvalidArgumentError(absl::StrCat("calibration data: input '", data.inputs_[0].name, "' has ", data.inputs_[0].samples,
                                                     " samples, input '", input.name, "' has ", input.samples));
    }
  }
  data.size_ = data.inputs_[0].samples;
  return data;
}

std::string CalibrationData::SampleName(int i) const {
  const Input& input = inputs_[0];
  const auto after = std::upper_bound(input.files.begin(), input.files.end(), i, [](int n, const File& f) { return n < f.first_sample; });
  const size_t file = static_cast<size_t>(after - input.files.begin()) - 1;
  const int first = input.files[file].first_sample;
  const int next = file + 1 < input.files.size() ? input.files[file + 1].first_sample : input.samples;
  const std::string stem = input.file_names[file].substr(0, input.file_names[file].rfind('.'));
  return next - first == 1 ? stem : absl::StrCat(stem, "#", i - first);
}

absl::StatusOr<Tensor> CalibrationData::ReadValues(const Input& input, const File& file, int i) const {
  if (file.picture) {
    absl::StatusOr<Image> image = ReadImageFile(file.path);
    if (!image.ok()) return Annotate(image.status(), "calibration data");
    absl::StatusOr<Tensor> tensor = input.read(*image, input.type);
    if (!tensor.ok()) return Annotate(tensor.status(), absl::StrCat("calibration data: '", file.path, "', input '", input.name, "'"));
    return tensor;
  }
  OMKIT_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Allocate(input.type));
  const uint64_t skipped = static_cast<uint64_t>(i - file.first_sample) * tensor.bytes();
  std::ifstream stream(file.path, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(file.data_offset + skipped));
  stream.read(tensor.mutable_data<char>(), static_cast<std::streamsize>(tensor.bytes()));
  if (!stream) return absl::DataLossError(absl::StrCat("calibration data: cannot read sample ", i, " from '", file.path, "'"));
  const int64_t bad = FirstNonFinite(tensor);
  if (bad >= 0) {
    return absl::InvalidArgumentError(absl::StrCat("calibration data: '", file.path, "': element ",
                                                   static_cast<int64_t>(skipped / SizeOf(tensor.dtype())) + bad, " is NaN or infinite"));
  }
  if (tensor.dtype() == DType::kBool) {
    uint8_t* bytes = tensor.mutable_data<uint8_t>();
    for (int64_t k = 0; k < tensor.elements(); ++k) bytes[k] = bytes[k] != 0;
  }
  return tensor;
}

absl::StatusOr<std::vector<Tensor>> CalibrationData::Sample(int i) const {
  if (i < 0 || i >= size_) return absl::OutOfRangeError(absl::StrCat("calibration data: sample ", i, " of ", size_));
  std::vector<Tensor> tensors;
  for (const Input& input : inputs_) {
    const auto after = std::upper_bound(input.files.begin(), input.files.end(), i, [](int n, const File& f) { return n < f.first_sample; });
    OMKIT_ASSIGN_OR_RETURN(Tensor tensor, ReadValues(input, *(after - 1), i));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace omkit::frontends
