// Networks with AIPP in front against the same networks fed with what AIPP should make: through the compiler, the offline model file and
// the kernels of every instruction set.
#include <cmath>
#include <cstdio>
#include <random>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/aipp.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

using aipp::Spec;
using ir::OpKind;
using ir::ValueId;

std::mt19937& Engine() {
  static std::mt19937 engine(5);
  return engine;
}
int Int(int low, int high) { return std::uniform_int_distribution<int>(low, high)(Engine()); }

Tensor Floats(Shape shape, float scale) {
  Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
  for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = scale * static_cast<float>(Int(-1000, 1000)) / 1000;
  return t;
}

Tensor Bytes(Shape shape) {
  Tensor t = *Tensor::Allocate(DType::kUInt8, std::move(shape));
  for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(Int(0, 255));
  return t;
}

// Two convolutions over each input; the results are added.
std::unique_ptr<ir::Graph> Network(const std::vector<Shape>& inputs, int64_t pad, DType dtype = DType::kFloat32) {
  Engine().seed(17);
  auto graph = std::make_unique<ir::Graph>();
  graph->name = "net";
  ValueId sum = ir::kNoValue;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string n = std::to_string(i);
    ValueId v = graph->AddInput("image" + n, {dtype, inputs[i], {}, Layout::kPlain});
    if (dtype != DType::kFloat32) {
      ir::Attrs to;
      to.Set("to", int64_t{1});
      v = graph->node(graph->AddNode(OpKind::kCast, "cast" + n, {v}, to)).outputs[0];
    }
    const auto conv = [&](const std::string& name, int64_t out, int64_t in, int64_t p) {
      ir::Attrs attrs;
      attrs.Set("pads", std::vector<int64_t>{p, p, p, p});
      const std::vector<ValueId> operands = {v, graph->AddConstant(name + ".w", Floats({out, in, 3, 3}, 0.4f)),
                                             graph->AddConstant(name + ".b", Floats({out}, 0.2f))};
      v = graph->node(graph->AddNode(OpKind::kConv, name, operands, attrs)).outputs[0];
    };
    conv("first" + n, 8, inputs[i].dim(1), pad);
    v = graph->node(graph->AddNode(OpKind::kRelu, "relu" + n, {v})).outputs[0];
    conv("second" + n, 4, 8, 1);
    sum = i == 0 ? v : graph->node(graph->AddNode(OpKind::kAdd, "add" + n, {sum, v})).outputs[0];
  }
  graph->MarkOutput(sum);
  return graph;
}

Spec CameraSpec() {
  Spec s;
  s.format = aipp::Format::kYuv420sp;
  s.src_w = 64, s.src_h = 48;
  s.crop = 1, s.crop_x = 6, s.crop_y = 4, s.crop_w = 50, s.crop_h = 40;
  s.csc = 1;
  const int32_t matrix[9] = {298, 0, 409, 298, -100, -208, 298, 516, 0};
  std::copy(matrix, matrix + 9, s.matrix);
  s.in_bias[0] = 16, s.in_bias[1] = s.in_bias[2] = 128;
  s.resize = 1, s.resize_w = 24, s.resize_h = 20;
  const float mean[3] = {123.675f, 116.28f, 103.53f}, deviation[3] = {58.395f, 57.12f, 57.375f};
  for (int c = 0; c < 3; ++c) s.mean[c] = mean[c], s.var_reci[c] = 1 / deviation[c];
  return s;
}

aipp::Stage StageOf(const Spec& spec, int64_t batch) {
  const aipp::Size size = aipp::OutputSize(spec);
  return {false, 0, batch, 3, size.h, size.w, spec};
}

// What the operator makes of the images.
Tensor Seen(const aipp::Stage& stage, const Tensor& images, bool pixels = false) {
  ir::Attrs attrs;
  attrs.Set("stage", aipp::ToText(stage));
  attrs.Set("pixels", int64_t{pixels});
  Tensor out = *Tensor::Allocate(pixels ? DType::kUInt8 : DType::kFloat32, Shape({stage.batch, stage.channels, stage.height, stage.width}));
  const Tensor* const in[] = {&images};
  Tensor* const to[] = {&out};
  EXPECT_EQ(ir::EvalOp(OpKind::kAipp, {attrs, in, to}), absl::OkStatus());
  return out;
}

struct Compiled {
  std::unique_ptr<runtime::Model> model;
  std::vector<std::string> aipp_nodes;  // the attribute "stage" of each Aipp node that was lowered
  std::vector<TensorType> aipp_types;

  std::vector<float> Run(const std::vector<Tensor>& inputs) {
    std::vector<const void*> in;
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(inputs[i].bytes(), model->inputs()[i].bytes);
      in.push_back(inputs[i].raw());
    }
    std::vector<float> out(model->outputs()[0].bytes / sizeof(float));
    void* const to[] = {out.data()};
    EXPECT_EQ(model->Execute(in, to), absl::OkStatus());
    return out;
  }
};

// `samples` empty: float.
Compiled Compile(std::unique_ptr<ir::Graph> graph, const std::string& soc, const std::vector<passes::AippInput>& stages,
                 const std::vector<std::vector<Tensor>>& samples = {}) {
  RegisterAllKernels();
  CompileOptions options;
  options.soc_version = soc;
  if (!stages.empty()) options.aipp = [&](const ir::Graph&) -> absl::StatusOr<std::vector<passes::AippInput>> { return stages; };
  if (!samples.empty()) {
    options.quant_type = QuantType::kInt8;
    options.quantize.calibration = [&](const ir::Graph&) -> absl::StatusOr<passes::CalibrationSource> {
      return passes::CalibrationSource{static_cast<int>(samples.size()), [&](int i) -> absl::StatusOr<std::vector<Tensor>> { return samples[i]; }};
    };
  }
  Compiled compiled;
  options.on_final_graph = [&](const ir::Graph& g) {
    for (int id = 0; id < g.node_limit(); ++id) {
      if (!g.alive(id) || g.node(id).op != OpKind::kAipp) continue;
      compiled.aipp_nodes.push_back(g.node(id).attrs.String("stage", ""));
      compiled.aipp_types.push_back(g.value(g.node(id).outputs[0]).type);
    }
  };
  const auto program = omkit::Compile(std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  if (!program.ok()) return compiled;
  const std::string path = ::testing::TempDir() + "/aipp_pipeline.om";
  EXPECT_EQ(runtime::WriteOm(*program, path), absl::OkStatus());
  runtime::ModelOptions model_options;
  model_options.check_soc = false;
  auto model = runtime::Model::Load(path, model_options);
  EXPECT_TRUE(model.ok()) << model.status();
  std::remove(path.c_str());
  if (model.ok()) compiled.model = *std::move(model);
  return compiled;
}

std::vector<std::string> Socs() {
  std::vector<std::string> socs = {"cpu-reference", "npu-int8-generic"};
  for (const char* soc : {"npu-int8-avx2", "npu-int8-avx512vnni", "npu-int8-neon"}) {
    const auto row = runtime::FindSoc(soc);
    if (row.ok() && CpuSupports(row->isa)) socs.push_back(soc);
  }
  return socs;
}

TEST(AippPipeline, FloatNetworksGetTheSameValues) {
  const aipp::Stage stage = StageOf(CameraSpec(), 2);
  const Shape input({2, 3, stage.height, stage.width});
  const Tensor images = Bytes(Shape(aipp::SourceDims(stage)));
  for (const std::string& soc : Socs()) {
    Compiled plain = Compile(Network({input}, 1), soc, {}), with = Compile(Network({input}, 1), soc, {{0, stage}});
    ASSERT_TRUE(plain.model && with.model);
    EXPECT_EQ(with.Run({images}), plain.Run({Seen(stage, images)})) << soc;
    const runtime::IoDesc& io = with.model->inputs()[0];
    EXPECT_EQ(io.name, "image0");
    EXPECT_EQ(io.dtype, DType::kUInt8);
    EXPECT_EQ(io.format, "NHWC");
    EXPECT_EQ(io.dims, (std::vector<int64_t>{2, 72, 64, 1}));
  }
}

// Normalisation that padding does not let into the weights: one rounding, the one of the Quantize node.
TEST(AippPipeline, Int8NetworksGetTheSameBytes) {
  const aipp::Stage stage = StageOf(CameraSpec(), 1);
  const Shape input({1, 3, stage.height, stage.width});
  std::vector<std::vector<Tensor>> samples;
  for (int i = 0; i < 4; ++i) samples.push_back({Seen(stage, Bytes(Shape(aipp::SourceDims(stage))))});
  const Tensor images = Bytes(Shape(aipp::SourceDims(stage)));
  for (const std::string& soc : Socs()) {
    Compiled plain = Compile(Network({input}, 1), soc, {}, samples), with = Compile(Network({input}, 1), soc, {{0, stage}}, samples);
    ASSERT_TRUE(plain.model && with.model);
    EXPECT_EQ(with.Run({images}), plain.Run({Seen(stage, images)})) << soc;
    ASSERT_EQ(with.aipp_types.size(), 1u);
    EXPECT_EQ(with.aipp_types[0].dtype, DType::kUInt8) << "no picture of floats";
    EXPECT_EQ(with.aipp_nodes[0], aipp::ToText(stage));
  }
}

double Error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, power = 0;
  for (size_t i = 0; i < a.size(); ++i) error += (a[i] - b[i]) * (a[i] - b[i]), power += b[i] * b[i];
  return std::sqrt(error / power);
}

// With one factor and one integer mean the first layer takes pixels as they are, padding included.
TEST(AippPipeline, NormalisationMovesIntoTheFirstLayer) {
  for (const int64_t pad : {0, 1}) {
    Spec spec = CameraSpec();
    for (int c = 0; c < 3; ++c) spec.mean[c] = pad == 0 ? 0 : 100, spec.min[c] = pad == 0 ? 0 : 28, spec.var_reci[c] = 1.0f / 255;
    const aipp::Stage stage = StageOf(spec, 1);
    const Shape input({1, 3, stage.height, stage.width});
    std::vector<std::vector<Tensor>> samples;
    for (int i = 0; i < 4; ++i) samples.push_back({Seen(stage, Bytes(Shape(aipp::SourceDims(stage))))});
    const Tensor images = Bytes(Shape(aipp::SourceDims(stage)));
    Compiled real = Compile(Network({input}, pad), "host", {});
    Compiled plain = Compile(Network({input}, pad), "host", {}, samples), folded = Compile(Network({input}, pad), "host", {{0, stage}}, samples);
    ASSERT_TRUE(real.model && plain.model && folded.model);
    ASSERT_EQ(folded.aipp_types.size(), 1u);
    EXPECT_EQ(folded.aipp_types[0].quant, QuantParams::PerTensor(1.0f / 255, pad == 0 ? 0 : 128));
    const std::vector<float> want = real.Run({Seen(stage, images)});
    EXPECT_LT(Error(folded.Run({images}), want), 0.03);
    EXPECT_LT(Error(folded.Run({images}), want), 1.2 * Error(plain.Run({Seen(stage, images)}), want));
    // The manifest keeps what the user wrote.
    bool told = false;
    for (const runtime::ManifestEntry& entry : folded.model->program().manifest)
      told = told || (entry.key == "aipp.0" && entry.value == aipp::ToText(stage));
    EXPECT_TRUE(told);
  }
}

TEST(AippPipeline, NetworksThatTakeBytes) {
  Spec spec = CameraSpec();
  spec.padding = 1, spec.pad_left = 2, spec.pad_top = 1, spec.padding_value = 77;
  const aipp::Stage stage = StageOf(spec, 1);
  const Shape input({1, 3, stage.height, stage.width});
  const Tensor images = Bytes(Shape(aipp::SourceDims(stage)));
  for (const std::string& soc : Socs()) {
    Compiled plain = Compile(Network({input}, 1, DType::kUInt8), soc, {}), with = Compile(Network({input}, 1, DType::kUInt8), soc, {{0, stage}});
    ASSERT_TRUE(plain.model && with.model);
    EXPECT_EQ(with.Run({images}), plain.Run({Seen(stage, images, true)})) << soc;
  }
}

TEST(AippPipeline, SeveralInputs) {
  Spec rgb;
  rgb.format = aipp::Format::kRgb888;
  rgb.src_w = 24, rgb.src_h = 20;
  const aipp::Stage camera = StageOf(CameraSpec(), 1), plain_rgb = StageOf(rgb, 1);
  const Shape input({1, 3, 20, 24});
  const Tensor a = Bytes(Shape(aipp::SourceDims(camera))), b = Floats(input, 1), c = Bytes(Shape(aipp::SourceDims(plain_rgb)));
  Compiled plain = Compile(Network({input, input, input}, 1), "host", {});
  Compiled with = Compile(Network({input, input, input}, 1), "host", {{2, plain_rgb}, {0, camera}});
  ASSERT_TRUE(plain.model && with.model);
  EXPECT_EQ(with.Run({a, b, c}), plain.Run({Seen(camera, a), b, Seen(plain_rgb, c)}));
}

TEST(AippPipeline, DynamicIsWhatStaticIs) {
  Spec spec = CameraSpec();
  spec.resize = 0;
  for (int c = 0; c < 4; ++c) spec.mean[c] = static_cast<float>(100 + c), spec.min[c] = 0.5f, spec.var_reci[c] = 1.0f / 64;
  const aipp::Stage fixed = StageOf(spec, 2);
  aipp::Stage dynamic = fixed;
  dynamic.dynamic = true;
  dynamic.max_src_image_size = aipp::SourceBytes(fixed) + 100;
  dynamic.spec = Spec{};
  const Shape input({2, 3, fixed.height, fixed.width});
  Tensor images = Bytes({dynamic.max_src_image_size}), parameters = *Tensor::Allocate(DType::kUInt8, {static_cast<int64_t>(aipp::DynamicBytes(2))});
  const Spec both[2] = {spec, spec};
  aipp::EncodeDynamic(both, parameters.mutable_data<uint8_t>());
  const Tensor as_static = Tensor::View({DType::kUInt8, Shape(aipp::SourceDims(fixed)), {}, Layout::kPlain}, images.mutable_raw());
  std::vector<std::vector<Tensor>> samples = {{Seen(fixed, as_static)}};
  for (const std::string& soc : Socs()) {
    for (const bool int8 : {false, true}) {
      const auto& used = int8 ? samples : std::vector<std::vector<Tensor>>{};
      Compiled plain = Compile(Network({input}, 1), soc, {}, used), with = Compile(Network({input}, 1), soc, {{0, dynamic}}, used);
      ASSERT_TRUE(plain.model && with.model);
      ASSERT_EQ(with.model->inputs().size(), 2u);
      EXPECT_EQ(with.model->inputs()[1].name, "ascend_dynamic_aipp_data");
      EXPECT_EQ(with.model->inputs()[1].bytes, 64u + 2 * 96);
      EXPECT_EQ(with.Run({images, parameters}), plain.Run({Seen(fixed, as_static)})) << soc;
    }
  }
  Compiled with = Compile(Network({input}, 1), "host", {{0, dynamic}});
  const Tensor unset = *Tensor::Allocate(DType::kUInt8, parameters.shape());
  const void* const in[] = {images.raw(), unset.raw()};
  std::vector<float> out(with.model->outputs()[0].bytes / 4);
  void* const to[] = {out.data()};
  const absl::Status status = with.model->Execute(in, to);
  EXPECT_NE(std::string(status.message()).find("have not been set"), std::string::npos) << status;
}

}  // namespace
}  // namespace omkit
