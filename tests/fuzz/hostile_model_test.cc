// Hostile ONNX models: the standard's node tests with a few fields changed to extreme or mismatched values, through the importer, the
// shape passes and the interpreter. Nothing may crash, hang or take unbounded memory; every outcome is a status. Run it in the asan
// configuration, with OMKIT_MUTATIONS=<n> mutations per model for long runs and OMKIT_SEED=<n> for other ones.
#include <dirent.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/shape.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "onnx/onnx-ml.pb.h"
#include "passes/fuse.h"
#include "passes/pass.h"
#include "passes/shapes.h"

namespace omkit {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);  // for one model, in the slowest configuration
constexpr int64_t kMostElements = 1 << 20;              // of a graph that is run

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  void Mutate(onnx::ModelProto* model) {
    const int changes = 1 + Below(3);
    for (int i = 0; i < changes; ++i) MutateOnce(model);
  }

 private:
  int Below(int n) { return n <= 0 ? 0 : static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  int64_t Number() {
    static constexpr int64_t kNumbers[] = {0,
                                           1,
                                           -1,
                                           2,
                                           -2,
                                           3,
                                           7,
                                           8,
                                           9,
                                           -9,
                                           64,
                                           127,
                                           128,
                                           255,
                                           256,
                                           65536,
                                           int64_t{1} << 31,
                                           -(int64_t{1} << 31),
                                           (int64_t{1} << 32) + 1,
                                           int64_t{1} << 40,
                                           int64_t{1} << 62,
                                           std::numeric_limits<int64_t>::max(),
                                           std::numeric_limits<int64_t>::min(),
                                           std::numeric_limits<int64_t>::max() - 1,
                                           100000};
    return kNumbers[Below(std::size(kNumbers))];
  }

  float Real() {
    static constexpr float kReals[] = {0,
                                       -0.0f,
                                       1,
                                       -1,
                                       1e-45f,
                                       1e-38f,
                                       3e38f,
                                       std::numeric_limits<float>::infinity(),
                                       -std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::quiet_NaN(),
                                       0.5f,
                                       1e10f};
    return kReals[Below(std::size(kReals))];
  }

  void MutateAttribute(onnx::NodeProto* node) {
    if (node->attribute_size() == 0) return;
    onnx::AttributeProto* a = node->mutable_attribute(Below(node->attribute_size()));
    switch (Below(5)) {
      case 0: node->mutable_attribute()->DeleteSubrange(Below(node->attribute_size()), 1); return;
      case 1:
        if (a->ints_size() > 0) a->mutable_ints()->RemoveLast();
        return;
      case 2: a->add_ints(Number()); return;
      default: break;
    }
    if (a->ints_size() > 0) a->set_ints(Below(a->ints_size()), Number());
    else if (a->floats_size() > 0) a->set_floats(Below(a->floats_size()), Real());
    else if (a->has_i()) a->set_i(Number());
    else if (a->has_f()) a->set_f(Real());
    else if (a->has_t()) MutateTensor(a->mutable_t());
    else if (a->has_s()) a->set_s(Below(2) ? "" : "linear");
  }

  void MutateInputs(onnx::GraphProto* graph, onnx::NodeProto* node) {
    if (node->input_size() == 0) return;
    const int at = Below(node->input_size());
    switch (Below(5)) {
      case 0: node->set_input(at, ""); break;
      case 1: node->set_input(at, node->input(Below(node->input_size()))); break;
      case 2: node->mutable_input()->RemoveLast(); break;
      case 3: node->add_input(node->input(at)); break;
      default:
        if (graph->input_size() > 0) node->set_input(at, graph->input(Below(graph->input_size())).name());
    }
  }

  void MutateType(onnx::ValueInfoProto* info) {
    auto* type = info->mutable_type()->mutable_tensor_type();
    auto* shape = type->mutable_shape();
    switch (Below(4)) {
      case 0: type->set_elem_type(Below(17)); break;
      case 1: shape->add_dim()->set_dim_value(1 + Below(3)); break;
      case 2:
        if (shape->dim_size() > 0) shape->mutable_dim()->RemoveLast();
        break;
      default:
        if (shape->dim_size() > 0) shape->mutable_dim(Below(shape->dim_size()))->set_dim_value(Below(2) ? Below(5) : Number());
    }
  }

  void MutateTensor(onnx::TensorProto* tensor) {
    std::string* raw = tensor->mutable_raw_data();
    switch (Below(4)) {
      case 0: tensor->set_data_type(Below(17)); break;
      case 1:
        if (tensor->dims_size() > 0) tensor->set_dims(Below(tensor->dims_size()), Number());
        break;
      default: {
        const int64_t value = Number();
        if (raw->size() >= 8) std::copy_n(reinterpret_cast<const char*>(&value), 8, raw->begin() + 8 * Below(static_cast<int>(raw->size() / 8)));
        else if (!raw->empty()) (*raw)[Below(static_cast<int>(raw->size()))] = static_cast<char>(value);
        else if (tensor->int64_data_size() > 0) tensor->set_int64_data(Below(tensor->int64_data_size()), value);
        else if (tensor->float_data_size() > 0) tensor->set_float_data(Below(tensor->float_data_size()), Real());
      }
    }
    if (raw->empty()) tensor->clear_raw_data();
  }

  void MutateOnce(onnx::ModelProto* model) {
    onnx::GraphProto* graph = model->mutable_graph();
    onnx::NodeProto* node = graph->mutable_node(Below(graph->node_size()));
    switch (Below(8)) {
      case 0:
      case 1: MutateAttribute(node); break;
      case 2: MutateInputs(graph, node); break;
      case 3:
        if (graph->input_size() > 0) MutateType(graph->mutable_input(Below(graph->input_size())));
        break;
      case 4:
      case 5:
        if (graph->initializer_size() > 0) MutateTensor(graph->mutable_initializer(Below(graph->initializer_size())));
        break;
      case 6: model->mutable_opset_import(0)->set_version(7 + Below(17)); break;
      default:
        if (node->output_size() > 1) node->mutable_output()->RemoveLast();
        else node->add_output("extra");
    }
  }

  std::mt19937_64 random_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Inputs from the second on become initializers with the values of the data set, so that shapes, axes and pads are constants.
bool BakeInputs(const std::string& folder, onnx::ModelProto* model) {
  for (int i = 1; i < model->graph().input_size(); ++i) {
    onnx::TensorProto* tensor = model->mutable_graph()->add_initializer();
    if (!tensor->ParseFromString(ReadAll(absl::StrCat(folder, "/test_data_set_0/input_", i, ".pb")))) return false;
    tensor->set_name(model->graph().input(i).name());
  }
  return true;
}

std::vector<onnx::ModelProto> Seeds() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  const std::string root = absl::StrCat(runfiles == nullptr ? "." : runfiles, "/onnx/onnx/backend/test/data/node");
  std::vector<std::string> names;
  DIR* dir = opendir(root.c_str());
  if (dir == nullptr) return {};
  while (const dirent* entry = readdir(dir)) names.push_back(entry->d_name);
  closedir(dir);
  std::sort(names.begin(), names.end());
  std::vector<onnx::ModelProto> seeds;
  for (const std::string& name : names) {
    onnx::ModelProto model;
    const std::string folder = absl::StrCat(root, "/", name);
    if (name[0] == '.' || !model.ParseFromString(ReadAll(folder + "/model.onnx")) || !BakeInputs(folder, &model)) continue;
    if (frontends::ImportOnnxBytes(model.SerializeAsString(), name, "").ok()) seeds.push_back(std::move(model));
  }
  return seeds;
}

bool SmallEnoughToRun(const ir::Graph& graph) {
  int64_t total = 0;
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return false;
  for (ir::NodeId id : *order) {
    // A loop may be meant to run for hours.
    if (graph.node(id).op == ir::OpKind::kLoop) return false;
  }
  for (ir::ValueId v = 0; v < graph.num_values(); ++v) {
    const absl::StatusOr<int64_t> elements = CheckedElements(graph.value(v).type.shape.dims());
    if (!elements.ok()) return false;
    total += *elements;
  }
  return total <= kMostElements;
}

absl::Status Use(const onnx::ModelProto& model) {
  auto graph = frontends::ImportOnnxBytes(model.SerializeAsString(), "hostile.onnx", "");
  if (!graph.ok()) return graph.status();
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const ir::ValueId id : (*graph)->inputs()) {
    std::vector<int64_t> dims = (*graph)->value(id).type.shape.vec();
    std::replace(dims.begin(), dims.end(), kUnknownDim, int64_t{2});
    shapes[(*graph)->value(id).name] = std::move(dims);
  }
  const absl::Status passed = passes::RunPasses({passes::BindShapes(shapes), passes::InferShapes(), passes::Simplify()}, {}, **graph);
  if (!passed.ok() || !SmallEnoughToRun(**graph)) return passed;
  std::vector<Tensor> inputs;
  for (const ir::ValueId id : (*graph)->inputs()) {
    auto tensor = Tensor::Allocate((*graph)->value(id).type);
    if (!tensor.ok()) return tensor.status();
    inputs.push_back(*std::move(tensor));
  }
  return ir::Interpret(**graph, inputs).status();
}

int FromEnvironment(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::atoi(text);
}

TEST(HostileModels, EveryMutationEndsInAStatus) {
  const std::vector<onnx::ModelProto> seeds = Seeds();
  ASSERT_GT(seeds.size(), 500u);
  const int mutations = FromEnvironment("OMKIT_MUTATIONS", 20);
  const uint64_t start = static_cast<uint64_t>(FromEnvironment("OMKIT_SEED", 1));
  int accepted = 0, refused = 0;
  for (size_t s = 0; s < seeds.size(); ++s) {
    for (int m = 0; m < mutations; ++m) {
      onnx::ModelProto model = seeds[s];
      Mutator(start * 1000003 + s * 1009 + static_cast<uint64_t>(m)).Mutate(&model);
      if (std::getenv("OMKIT_TRACE") != nullptr) std::ofstream(std::getenv("OMKIT_TRACE"), std::ios::binary) << model.SerializeAsString();
      const absl::Time begin = absl::Now();
      const absl::Status status = Use(model);
      EXPECT_LT(absl::Now() - begin, kPatience) << "seed " << s << " mutation " << m << ": " << status;
      EXPECT_NE(status.code(), absl::StatusCode::kUnknown) << status;
      ++(status.ok() ? accepted : refused);
    }
  }
  std::printf("%zu models, %d mutations accepted, %d refused\n", seeds.size(), accepted, refused);
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace omkit
