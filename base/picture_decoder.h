// Decodes encoded pictures (JPEG, PNG, ...) for the operator that takes them, without linking a codec into every runtime. Floor 1.
//
// A program that links the codecs (frontends/image_file.h) sets them as the decoder. Any other process loads libomkit_pictures.so when it
// meets its first picture: the file that the environment variable OMKIT_PICTURES names, else the one beside this program or library, or in
// ../lib64 or ../lib from there.
#ifndef OMKIT_BASE_PICTURE_DECODER_H_
#define OMKIT_BASE_PICTURE_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace omkit {

struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // height rows of width pixels of 3 bytes, no padding
};

using PictureDecoder = absl::StatusOr<Picture> (*)(absl::string_view bytes);

// Before the first picture; the last one set counts.
void SetPictureDecoder(PictureDecoder decoder);

// INVALID_ARGUMENT: the bytes are no whole picture of a known format. RESOURCE_EXHAUSTED: a larger one than is decoded.
// FAILED_PRECONDITION: this process has no decoder; the message tells where one was looked for. Thread-safe.
absl::StatusOr<Picture> DecodePicture(absl::string_view bytes);

}  // namespace omkit

// What libomkit_pictures.so exports.
extern "C" {

#define OMKIT_PICTURES_ABI 1

enum OmkitPictureResult { kOmkitPictureOk = 0, kOmkitPictureUnreadable = 1, kOmkitPictureTooLarge = 2 };

struct OmkitPicture {
  int64_t width, height;
  uint8_t* rgb;  // to be freed by omkit_picture_free; null unless the result is kOmkitPictureOk
  char message[256];
};

int omkit_picture_abi(void);
int omkit_picture_decode(const void* bytes, size_t size, struct OmkitPicture* picture);
void omkit_picture_free(struct OmkitPicture* picture);
}

#endif  // OMKIT_BASE_PICTURE_DECODER_H_
