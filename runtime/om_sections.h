// The FlatBuffers sections of an offline model: a Program's fields as bytes and back. Floor 2, used by om_file only.
#ifndef OMKIT_RUNTIME_OM_SECTIONS_H_
#define OMKIT_RUNTIME_OM_SECTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/shapes.h"

namespace omkit::runtime {

// model_name, soc_version, isa, manifest. Deterministic.
std::string SerializeManifest(const Program& program);
// inputs, outputs, steps, records, arena_size. Deterministic.
std::string SerializePlan(const Plan& plan);
// RuntimeShapes without the graph. Deterministic.
std::string SerializeShapes(const RuntimeShapes& shapes);

// The inverse, for bytes of any origin at an address that is a multiple of 8. INVALID_ARGUMENT when the FlatBuffers verifier refuses
// them, or when sharing inside the buffer would make the result more than a few times larger than the buffer.
absl::Status ParseManifest(absl::string_view bytes, Program* program);
absl::Status ParsePlan(absl::string_view bytes, Plan* plan);
absl::Status ParseShapes(absl::string_view bytes, RuntimeShapes* shapes);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_OM_SECTIONS_H_
