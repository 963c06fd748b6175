// The files that choose precisions node by node: --keep_dtype, --customize_dtypes, --op_precision_mode, --modify_mixlist. Floor 5. Their forms
// and their order of precedence are those of ATC; this chip computes in INT8, in FP32 and, convolutions and matrix products with constant weights,
// on bfloat16. float16 stands for FP32, and so does bfloat16 for other operators.
#ifndef OMKIT_TOOLS_ATC_PRECISION_FILES_H_
#define OMKIT_TOOLS_ATC_PRECISION_FILES_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "ir/graph.h"

namespace omkit::atc {

// Paths, empty when not given.
struct PrecisionFiles {
  std::string keep_dtype, customize_dtypes, op_precision, mixlist;

  bool any() const { return !(keep_dtype.empty() && customize_dtypes.empty() && op_precision.empty() && mixlist.empty()); }
};

// What the files ask for, by names of the imported network's nodes and types of its operators.
struct PrecisionLists {
  std::set<std::string> float_nodes;                           // not INT8; FP32 but for those that are among bfloat16_nodes too
  std::set<std::string> bfloat16_nodes;                        // by --customize_dtypes
  std::set<std::string> int8_nodes;                            // by --customize_dtypes, which beats everything else
  std::set<std::string> w8a16_nodes;                           // the same: float activations, int8 weights
  std::set<std::string> float_types, white_types, grey_types;  // by --modify_mixlist: the black list and the two others
};

// Reads what is given. Types may have their ONNX name or the name of CANN's operator (Conv2D, MatMulV2, ...); types of the mixed precision
// lists need not occur in the graph. Errors have codes of errors.h: unreadable files; lines that are wrong, with their number; names that the
// graph does not have, with the nearest one; types and modes that have no meaning here.
absl::Status ReadPrecisionFiles(const PrecisionFiles& files, const ir::Graph& graph, PrecisionLists* lists);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_PRECISION_FILES_H_
