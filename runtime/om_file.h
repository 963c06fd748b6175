// The offline model file (.om): how a Program becomes bytes and comes back. Floor 2; the compiler writes, the loader reads.
//
//   header    64 bytes  magic, version, endian tag, lengths, XXH3-128 of the header before it and of the section table
//   sections  48 bytes each: type, flags, offset, length, reserved, XXH3-128 of the section's bytes
//   data      each section at the next multiple of 64, zeros between, nothing behind the last
//
// Sections: manifest and plan (FlatBuffers, om.fbs), weights (raw, mapped); a model whose shapes are chosen at run time has shapes
// (FlatBuffers) as well, and graph (raw) when it takes ranges. All numbers are little-endian. Every byte is covered by a hash or must be
// zero, so any accidental change is detected; the verifiers deal with changes on purpose.
#ifndef OMKIT_RUNTIME_OM_FILE_H_
#define OMKIT_RUNTIME_OM_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/shapes.h"
#include "runtime/verify_program.h"

namespace omkit::runtime {

enum class OmSection : uint32_t { kManifest = 1, kPlan = 2, kWeights = 3, kShapes = 4, kGraph = 5 };

// One row of the section table, for reports.
struct OmSectionInfo {
  uint32_t type = 0;  // an OmSection, or an optional section of a newer version
  bool required = false;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// "manifest", "plan", "weights", "shapes", "graph"; "unknown" for others.
const char* OmSectionName(uint32_t type);

// A program whose weights live outside it. Copies share the weights.
struct LoadedOm {
  ShapedProgram program;             // program.weights is empty
  const uint8_t* weights = nullptr;  // 64-byte aligned
  uint64_t weights_size = 0;
  std::shared_ptr<const void> owner;  // keeps `weights` alive
  uint64_t file_size = 0;             // 0: made from a Program
  std::vector<OmSectionInfo> sections;
};

struct OmOptions {
  ProgramLimits limits;
  // LoadOm: false reads the weights into memory of this process, which survives a file that is changed or truncated in place.
  bool map_weights = true;
};

// Equal programs give equal bytes. INVALID_ARGUMENT when the program does not pass VerifyProgram.
absl::StatusOr<std::string> SerializeOm(const ShapedProgram& program);
// Written atomically (base/file.h).
absl::Status WriteOm(const ShapedProgram& program, const std::string& path);

// Errors: NOT_FOUND and PERMISSION_DENIED for the file itself; INVALID_ARGUMENT: not an offline model, a version or required section
// this release does not know, or refused by the verifier; DATA_LOSS: truncated or altered; RESOURCE_EXHAUSTED: memory or limits.
// Kernels and soc_version are not looked at here: Model does that.
absl::StatusOr<LoadedOm> LoadOm(const std::string& path, const OmOptions& options = {});
// Copies what it needs; `data` may go away afterwards and needs no alignment.
absl::StatusOr<LoadedOm> LoadOmFromMemory(const void* data, size_t size, const OmOptions& options = {});
// The same form for a program that was never written: verified, its weights moved to aligned memory.
absl::StatusOr<LoadedOm> LoadedOmFrom(ShapedProgram program, const OmOptions& options = {});

// Recomputes all hashes of a file image whose layout is intact; false when it is not. For tests and fuzzers of the verifiers.
bool RehashOm(std::string* bytes);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_OM_FILE_H_
