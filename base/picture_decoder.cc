#include "base/picture_decoder.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/own_file.h"
#include "base/status.h"

namespace omkit {
namespace {

std::atomic<PictureDecoder> linked{nullptr};

std::vector<std::string> Candidates() {
  if (const char* given = getenv("OMKIT_PICTURES"); given != nullptr && *given != '\0') return {given};
  const std::string own = OwnFile();
  const std::string folder = own.substr(0, own.rfind('/') + 1);
  std::vector<std::string> files;
  for (const char* where : {"", "../lib64/", "../lib/"}) files.push_back(absl::StrCat(folder, where, "libomkit_pictures.so"));
  return files;
}

struct Library {
  absl::Status status;
  decltype(&omkit_picture_decode) decode = nullptr;
  decltype(&omkit_picture_free) free = nullptr;
};

// Stays loaded for the life of the process.
Library Load() {
  Library library;
  const std::vector<std::string> files = Candidates();
  for (const std::string& file : files) {
    void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) continue;
    const auto abi = reinterpret_cast<decltype(&omkit_picture_abi)>(dlsym(handle, "omkit_picture_abi"));
    library.decode = reinterpret_cast<decltype(library.decode)>(dlsym(handle, "omkit_picture_decode"));
    library.free = reinterpret_cast<decltype(library.free)>(dlsym(handle, "omkit_picture_free"));
    if (abi != nullptr && library.decode != nullptr && library.free != nullptr && abi() == OMKIT_PICTURES_ABI) return library;
    library.status = absl::FailedPreconditionError(absl::StrCat("'", file, "' is not the picture decoder of this version"));
    return library;
  }
  library.status = absl::FailedPreconditionError(
      absl::StrCat("pictures are decoded by libomkit_pictures.so of the SDK, which cannot be loaded; looked for: ", absl::StrJoin(files, ", "),
                   ". Install it there, or name it in the environment variable OMKIT_PICTURES"));
  return library;
}

absl::StatusOr<Picture> DecodeThrough(const Library& library, absl::string_view bytes) {
  OMKIT_RETURN_IF_ERROR(library.status);
  OmkitPicture decoded = {};
  const int result = library.decode(bytes.data(), bytes.size(), &decoded);
  decoded.message[sizeof(decoded.message) - 1] = '\0';
  Picture picture{decoded.width, decoded.height, {}};
  if (result == kOmkitPictureOk) picture.rgb.assign(decoded.rgb, decoded.rgb + picture.width * picture.height * 3);
  library.free(&decoded);
  if (result == kOmkitPictureTooLarge) return absl::ResourceExhaustedError(decoded.message);
  if (result != kOmkitPictureOk) return absl::InvalidArgumentError(decoded.message);
  return picture;
}

}  // namespace

void SetPictureDecoder(PictureDecoder decoder) { linked = decoder; }

absl::StatusOr<Picture> DecodePicture(absl::string_view bytes) {
  if (const PictureDecoder decoder = linked) return decoder(bytes);
  static const auto* const library = new Library(Load());
  return DecodeThrough(*library, bytes);
}

}  // namespace omkit
