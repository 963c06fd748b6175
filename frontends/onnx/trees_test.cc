// Decision trees of ai.onnx.ml: what the importer says of forms that it does not take.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/onnx/importer.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

// Two leaves below one branch of a TreeEnsembleClassifier, with `more` attributes.
std::string Tree(absl::string_view more) {
  const auto ints = [](absl::string_view name, absl::string_view numbers) {
    return absl::StrCat("attribute { name: '", name, "' type: INTS ", numbers, " } ");
  };
  return absl::StrCat("node { name: 't' domain: 'ai.onnx.ml' op_type: 'TreeEnsembleClassifier' input: 'x' output: 'y' output: 'p' ",
                      ints("nodes_treeids", "ints: 0 ints: 0 ints: 0"), ints("nodes_nodeids", "ints: 0 ints: 1 ints: 2"),
                      ints("nodes_featureids", "ints: 1 ints: 0 ints: 0"), ints("nodes_truenodeids", "ints: 1 ints: 0 ints: 0"),
                      ints("class_treeids", "ints: 0 ints: 0"), ints("class_nodeids", "ints: 1 ints: 2"), ints("class_ids", "ints: 0 ints: 0"),
                      "attribute { name: 'nodes_modes' type: STRINGS strings: 'BRANCH_LEQ' strings: 'LEAF' strings: 'LEAF' } "
                      "attribute { name: 'nodes_values' type: FLOATS floats: 0.5 floats: 0 floats: 0 } "
                      "attribute { name: 'class_weights' type: FLOATS floats: 0.25 floats: 0.75 } ",
                      more, "} ");
}

TEST(Trees, OfBrokenOrUnsupportedFormAreRefused) {
  constexpr char kLabels[] = "attribute { name: 'classlabels_int64s' type: INTS ints: 0 ints: 1 } ";
  constexpr char kElse[] = "attribute { name: 'nodes_falsenodeids' type: INTS ints: 2 ints: 0 ints: 0 } ";
  const struct {
    std::string more;
    absl::StatusCode code;
    const char* message;
  } cases[] = {
      {absl::StrCat(kLabels, kElse), absl::StatusCode::kOk, ""},
      {absl::StrCat(kElse, "attribute { name: 'classlabels_strings' type: STRINGS strings: 'no' strings: 'yes' } "), absl::StatusCode::kUnimplemented,
       "node 't': TreeEnsembleClassifier, domain 'ai.onnx.ml': class labels are strings"},
      {absl::StrCat(kElse, "attribute { name: 'classlabels_int64s' type: INTS ints: 0 } "), absl::StatusCode::kUnimplemented, "1 class labels"},
      {kLabels, absl::StatusCode::kInvalidArgument, "attribute nodes_falsenodeids has 0 entries, nodes_nodeids 3"},
      {absl::StrCat(kLabels, "attribute { name: 'nodes_falsenodeids' type: INTS ints: 7 ints: 0 ints: 0 } "), absl::StatusCode::kInvalidArgument,
       "tree 0 has no node 7"},
      {absl::StrCat(kLabels, "attribute { name: 'nodes_falsenodeids' type: INTS ints: 0 ints: 0 ints: 0 } "), absl::StatusCode::kInvalidArgument,
       "node 0 of tree 0 is not below a root"},
  };
  for (const auto& c : cases) {
    const auto graph =
        ImportOnnxBytes(ModelBytesFromText(absl::StrCat(
                            "ir_version: 8 opset_import { domain: 'ai.onnx.ml' version: 3 } opset_import { version: 18 } graph { name: 'g' "
                            "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } dim { dim_value: 3 } } } } } "
                            "output { name: 'y' } ",
                            Tree(c.more), "}")),
                        "m.onnx", "");
    EXPECT_EQ(graph.status().code(), c.code) << graph.status();
    EXPECT_TRUE(absl::StrContains(graph.status().message(), c.message)) << graph.status();
  }
}

}  // namespace
}  // namespace omkit::frontends
