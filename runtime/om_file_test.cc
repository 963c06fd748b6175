#include "runtime/om_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include "base/file.h"
#include "flatbuffers/flatbuffers.h"
#include "runtime/fake_kernels.h"
#include "runtime/model.h"
#include "runtime/om_generated.h"
#include "runtime/om_sections.h"
#include "runtime/verified_files.h"

namespace omkit::runtime {
namespace {

std::string FakeFile() { return *SerializeOm(FakeProgram()); }

absl::Status LoadStatus(const std::string& bytes) { return LoadOmFromMemory(bytes.data(), bytes.size()).status(); }

std::string TestPath(const char* name) { return ::testing::TempDir() + "/" + name; }

void ExpectSame(const Program& a, const Program& b) {
  EXPECT_EQ(a.model_name, b.model_name);
  EXPECT_EQ(a.soc_version, b.soc_version);
  EXPECT_EQ(a.isa, b.isa);
  EXPECT_EQ(a.arena_size, b.arena_size);
  ASSERT_EQ(a.manifest.size(), b.manifest.size());
  for (size_t i = 0; i < a.manifest.size(); ++i) {
    EXPECT_EQ(a.manifest[i].key, b.manifest[i].key);
    EXPECT_EQ(a.manifest[i].value, b.manifest[i].value);
  }
  const auto same_io = [](const std::vector<IoDesc>& p, const std::vector<IoDesc>& q) {
    ASSERT_EQ(p.size(), q.size());
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_EQ(std::tie(p[i].name, p[i].dtype, p[i].dims, p[i].format, p[i].bytes),
                std::tie(q[i].name, q[i].dtype, q[i].dims, q[i].format, q[i].bytes));
    }
  };
  same_io(a.inputs, b.inputs);
  same_io(a.outputs, b.outputs);
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (size_t i = 0; i < a.steps.size(); ++i) {
    const Step &s = a.steps[i], &t = b.steps[i];
    EXPECT_EQ(std::tie(s.kernel, s.node, s.op, s.params, s.operations), std::tie(t.kernel, t.node, t.op, t.params, t.operations));
    ASSERT_EQ(s.operands.size(), t.operands.size());
    for (size_t k = 0; k < s.operands.size(); ++k) {
      const Operand &o = s.operands[k], &p = t.operands[k];
      EXPECT_EQ(std::tie(o.space, o.index, o.offset, o.size), std::tie(p.space, p.index, p.offset, p.size));
    }
  }
}

TEST(OmFile, RoundTrip) {
  const Program program = FakeProgram();
  const std::string path = TestPath("round_trip.om");
  ASSERT_TRUE(WriteOm(program, path).ok());
  EXPECT_EQ(*ReadFile(path), FakeFile());
  for (bool map : {true, false}) {
    OmOptions options;
    options.map_weights = map;
    const absl::StatusOr<LoadedOm> om = LoadOm(path, options);
    ASSERT_TRUE(om.ok()) << om.status();
    ExpectSame(om->program, program);
    ASSERT_EQ(om->weights_size, program.weights.size());
    EXPECT_EQ(std::memcmp(om->weights, program.weights.data(), om->weights_size), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(om->weights) % 64, 0u);
    EXPECT_TRUE(om->program.weights.empty());
    EXPECT_EQ(om->file_size, FakeFile().size());
    EXPECT_EQ(om->sections.size(), 3u);
  }
  std::remove(path.c_str());
}

TEST(OmFile, RecordsAndLayersRoundTrip) {
  Program program = FakeProgram();
  program.tensors.resize(2);
  program.tensors[0] = {"x", DType::kFloat32, {1, 100}, {}, true, Space::kInput, 0, 0, 0, 0};
  program.tensors[1] = {"y", DType::kUInt8, {2, 3}, {4, 1}, true, Space::kOutput, 0, 8, 0.5f, 128};
  program.layers = {{0, 1, {0}, {1}}, {2, 2, {1, 0}, {}}};
  const std::string bytes = *SerializeOm(program);
  const absl::StatusOr<LoadedOm> om = LoadOmFromMemory(bytes.data(), bytes.size());
  ASSERT_TRUE(om.ok()) << om.status();
  ASSERT_EQ(om->program.tensors.size(), 2u);
  const TensorRecord& y = om->program.tensors[1];
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.dtype, DType::kUInt8);
  EXPECT_EQ(y.dims, program.tensors[1].dims);
  EXPECT_EQ(y.strides, program.tensors[1].strides);
  EXPECT_TRUE(y.in_memory);
  EXPECT_EQ(y.space, Space::kOutput);
  EXPECT_EQ(y.offset, 8u);
  EXPECT_EQ(y.scale, 0.5f);
  EXPECT_EQ(y.zero_point, 128);
  EXPECT_TRUE(om->program.tensors[0].strides.empty());
  ASSERT_EQ(om->program.layers.size(), 2u);
  EXPECT_EQ(om->program.layers[1].first_step, 2u);
  EXPECT_EQ(om->program.layers[1].inputs, program.layers[1].inputs);

  const struct {
    const char* message;
    std::function<void(Program*)> change;
  } bad[] = {
      {"lie outside the output of 400 bytes", [](Program* p) { p->tensors[1].offset = 400; }},
      {"lie outside the output",
       [](Program* p) {
         p->tensors[1].strides = {400, 1};
       }},
      {"lie outside",
       [](Program* p) {
         p->tensors[1].strides = {-4, 1};
       }},
      {"lie outside",
       [](Program* p) {
         p->tensors[1].strides = {INT64_MAX, INT64_MAX};
       }},
      {"3 strides for 2 dimensions",
       [](Program* p) {
         p->tensors[1].strides = {1, 1, 1};
       }},
      {"index 7 of 1 inputs", [](Program* p) { p->tensors[0].index = 7; }},
      {"unknown memory space", [](Program* p) { p->tensors[0].space = static_cast<Space>(9); }},
      {"layer 1: tensor 2 of 2", [](Program* p) { p->layers[1].outputs = {2}; }},
      {"layer 1: steps 2 to 3 of 3", [](Program* p) { p->layers[1].last_step = 3; }},
      {"out of order", [](Program* p) { std::swap(p->layers[0], p->layers[1]); }},
  };
  for (const auto& c : bad) {
    Program broken = program;
    c.change(&broken);
    const absl::Status status = SerializeOm(broken).status();
    EXPECT_NE(status.message().find(c.message), absl::string_view::npos) << status;
  }
}

TEST(OmFile, MemoryMayGoAwayAndNeedsNoAlignment) {
  const std::string bytes = "x" + FakeFile();
  auto copy = std::make_unique<std::string>(bytes);
  const absl::StatusOr<LoadedOm> om = LoadOmFromMemory(copy->data() + 1, copy->size() - 1);
  ASSERT_TRUE(om.ok()) << om.status();
  std::fill(copy->begin(), copy->end(), '?');
  copy.reset();
  EXPECT_EQ(std::memcmp(om->weights, FakeProgram().weights.data(), om->weights_size), 0);
}

TEST(OmFile, EqualProgramsGiveEqualBytes) { EXPECT_EQ(FakeFile(), FakeFile()); }

TEST(OmFile, EmptyProgramRoundTrips) {
  Program program;
  program.soc_version = "cpu-reference";
  program.isa = "generic";
  const std::string bytes = *SerializeOm(program);
  const absl::StatusOr<LoadedOm> om = LoadOmFromMemory(bytes.data(), bytes.size());
  ASSERT_TRUE(om.ok()) << om.status();
  EXPECT_EQ(om->weights_size, 0u);
}

TEST(OmFile, NoSuchFileAndNoModel) {
  EXPECT_EQ(LoadOm(TestPath("missing.om")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadOm(::testing::TempDir()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadStatus("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadStatus("PK\3\4 something else entirely, long enough for a header of sixty-four bytes").code(), absl::StatusCode::kInvalidArgument);
}

constexpr char kSettled[] = "/bin/sh";

// Changes a byte in place.
void FlipBit(const std::string& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char old = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(old ^ 1));
}

TEST(OmFile, ARecordIsOfTheVeryFile) {
  const std::string path = TestPath("recorded.om");
  ASSERT_TRUE(WriteOm(FakeProgram(), path).ok());
  const absl::StatusOr<LoadedOm> om = LoadOm(path);
  ASSERT_TRUE(om.ok()) << om.status();
  uint64_t weights = 0;
  for (const OmSectionInfo& section : om->sections) {
    if (section.type == static_cast<uint32_t>(OmSection::kWeights)) weights = section.offset;
  }
  ASSERT_GT(weights, 0u);
  // Too new to be recorded; and a file that changes later is not the recorded one.
  FlipBit(path, weights);
  EXPECT_EQ(LoadOm(path).status().code(), absl::StatusCode::kDataLoss);
  FlipBit(path, weights);
  EXPECT_TRUE(LoadOm(path).ok());
  const std::array<uint8_t, 16> hash = {1, 2, 3};
  const std::array<uint8_t, 16> other = {1, 2, 4};
  const VerifiedFile fresh(path);
  fresh.Record(hash);
  EXPECT_FALSE(fresh.Recorded(hash)) << "less than two seconds old";
  // The shell was not written just now.
  const VerifiedFile settled(kSettled);
  EXPECT_FALSE(settled.Recorded(hash));
  settled.Record(hash);
  EXPECT_TRUE(settled.Recorded(hash));
  EXPECT_FALSE(settled.Recorded(other));
  EXPECT_FALSE(VerifiedFile(path).Recorded(hash));
  const VerifiedFile absent(path + ".absent");
  absent.Record(hash);
  EXPECT_FALSE(absent.Recorded(hash));
}

TEST(OmFile, RecordsAreSharedThroughAFolder) {
  const std::string folder = TestPath("verified");
  ASSERT_EQ(mkdir(folder.c_str(), 0755), 0);
  const std::array<uint8_t, 16> hash = {9, 8, 7};
  const auto recorded = [&] {  // in another process, which has no record of its own
    const pid_t child = fork();
    if (child == 0) _exit(VerifiedFile(kSettled).Recorded(hash) ? 1 : 0);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 1;
  };
  EXPECT_FALSE(recorded());
  setenv("OMKIT_VERIFIED_DIR", folder.c_str(), 1);
  const pid_t child = fork();
  if (child == 0) {
    VerifiedFile(kSettled).Record(hash);
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(recorded());
  unsetenv("OMKIT_VERIFIED_DIR");
  EXPECT_FALSE(recorded());
}

TEST(OmFile, EveryTruncationIsRefused) {
  const std::string bytes = FakeFile();
  for (size_t length = 1; length < bytes.size(); ++length) {
    ASSERT_EQ(LoadStatus(bytes.substr(0, length)).code(), absl::StatusCode::kDataLoss) << length;
  }
  EXPECT_EQ(LoadStatus(bytes + '\0').code(), absl::StatusCode::kDataLoss);
}

TEST(OmFile, EveryBitFlipIsRefused) {
  std::string bytes = FakeFile();
  ASSERT_TRUE(LoadStatus(bytes).ok());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    ASSERT_FALSE(LoadStatus(bytes).ok()) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
  }
}

TEST(OmFile, RandomEditsAreRefused) {
  std::mt19937 random(5);
  const std::string original = FakeFile();
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = original;
    for (uint32_t edits = 1 + random() % 8; edits > 0; --edits) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (bytes != original) {
      ASSERT_FALSE(LoadStatus(bytes).ok()) << "round " << round;
    }
  }
}

TEST(OmFile, VersionsAndUnknownSections) {
  std::string newer_minor = FakeFile();
  newer_minor[10] = 7;
  EXPECT_EQ(LoadStatus(newer_minor).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(RehashOm(&newer_minor));
  EXPECT_TRUE(LoadStatus(newer_minor).ok());

  for (const int step : {-1, 1}) {
    std::string other_major = FakeFile();
    other_major[8] = static_cast<char>(other_major[8] + step);
    EXPECT_EQ(LoadStatus(other_major).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(LoadStatus(other_major).message().find(step < 0 ? "1.0" : "3.0"), absl::string_view::npos) << LoadStatus(other_major);
  }

  // The weights section becomes one that this release does not know.
  std::string unknown = FakeFile();
  unknown[64 + 2 * 48] = 99;
  ASSERT_TRUE(RehashOm(&unknown));
  EXPECT_EQ(LoadStatus(unknown).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(LoadStatus(unknown).message().find("section 99"), absl::string_view::npos) << LoadStatus(unknown);
  unknown[64 + 2 * 48 + 4] = 0;  // optional: then the weights are missing
  ASSERT_TRUE(RehashOm(&unknown));
  EXPECT_NE(LoadStatus(unknown).message().find("no section 'weights'"), absl::string_view::npos) << LoadStatus(unknown);
}

TEST(OmFile, GapsMustBeZero) {
  std::string bytes = FakeFile();
  const size_t table_end = 64 + 3 * 48;
  ASSERT_NE(table_end % 64, 0u);
  bytes[table_end] = 1;
  ASSERT_TRUE(RehashOm(&bytes));
  EXPECT_EQ(LoadStatus(bytes).code(), absl::StatusCode::kDataLoss);
}

// Whoever can write a file can also hash it: what the hashes let through must be harmless.
TEST(OmFile, RehashedMutationsAreRefusedOrRun) {
  RegisterFakeKernels();
  std::mt19937 random(11);
  const std::string original = FakeFile();
  OmOptions options;
  options.limits.arena_size = 1 << 20;
  int loaded = 0, executed = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string bytes = original;
    for (uint32_t edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = 8 + random() % (bytes.size() - 8);
      if (random() % 2) bytes[at] = static_cast<char>(random());
      else bytes[at] ^= static_cast<char>(1 << (random() % 8));
    }
    if (!RehashOm(&bytes)) continue;
    absl::StatusOr<LoadedOm> om = LoadOmFromMemory(bytes.data(), bytes.size(), options);
    if (!om.ok()) continue;
    ++loaded;
    ModelOptions model_options;
    model_options.threads = 1;
    model_options.scratch_limit = 1 << 20;
    absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(*std::move(om), model_options);
    if (!model.ok()) continue;
    std::vector<std::string> buffers, results;
    for (const IoDesc& io : (*model)->inputs()) buffers.emplace_back(io.bytes, '\0');
    for (const IoDesc& io : (*model)->outputs()) results.emplace_back(io.bytes, '\0');
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (std::string& b : buffers) inputs.push_back(&b[0]);
    for (std::string& b : results) outputs.push_back(&b[0]);
    executed += (*model)->Execute(inputs, outputs).ok();
  }
  EXPECT_GT(loaded, 1000);
  EXPECT_GT(executed, 1000);
}

// Mutations of the values themselves, which random bytes seldom hit.
TEST(OmFile, HostileValuesAreRefusedOrRun) {
  RegisterFakeKernels();
  constexpr uint64_t kValues[] = {0,
                                  1,
                                  63,
                                  64,
                                  399,
                                  400,
                                  401,
                                  448,
                                  896,
                                  897,
                                  uint64_t{1} << 31,
                                  uint64_t{1} << 32,
                                  uint64_t{1} << 40,
                                  uint64_t{1} << 63,
                                  ~uint64_t{0},
                                  ~uint64_t{0} - 63};
  std::mt19937 random(12);
  const auto pick = [&] { return kValues[random() % std::size(kValues)]; };
  int executed = 0;
  for (int round = 0; round < 20000; ++round) {
    Program program = FakeProgram();
    for (uint32_t edits = 1 + random() % 3; edits > 0; --edits) {
      Step& step = program.steps[random() % 3];
      Operand& operand = step.operands[random() % step.operands.size()];
      switch (random() % 10) {
        case 0: operand.offset = pick(); break;
        case 1: operand.size = pick(); break;
        case 2: operand.index = static_cast<uint32_t>(pick()); break;
        case 3: operand.space = static_cast<Space>(random() % 6); break;
        case 4: program.arena_size = pick(); break;
        case 5: step.params = ParamBytes(FakeParams{static_cast<int64_t>(pick()), 1, static_cast<int32_t>(pick())}); break;
        case 6: program.inputs[0].dims[random() % 2] = static_cast<int64_t>(pick()); break;
        case 7: program.outputs[0].bytes = pick(); break;
        case 8: program.inputs[0].dtype = static_cast<DType>(random() % 20); break;
        default: step.operands.resize(1 + random() % 5); break;
      }
    }
    OmOptions options;
    options.limits.arena_size = 1 << 20;
    absl::StatusOr<LoadedOm> om = LoadedOmFrom(program, options);
    if (!om.ok()) continue;
    ModelOptions model_options;
    model_options.threads = 2;
    model_options.scratch_limit = 1 << 20;
    absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(*std::move(om), model_options);
    if (!model.ok() || (*model)->inputs()[0].bytes > 4096 || (*model)->outputs()[0].bytes > 4096) continue;
    std::string in((*model)->inputs()[0].bytes, '\0'), out((*model)->outputs()[0].bytes, '\0');
    const void* input = &in[0];
    void* output = &out[0];
    executed += (*model)->Execute({&input, 1}, {&output, 1}).ok();
  }
  EXPECT_GT(executed, 100);
}

TEST(OmFile, SharedStringsCannotBlowUpMemory) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(std::string(60000, 'n'));
  const auto params = builder.CreateVector(std::vector<uint8_t>());
  const auto operands = builder.CreateVectorOfStructs(std::vector<fbs::Operand>());
  const auto step = fbs::CreateStep(builder, name, name, name, params, operands, 0);
  const auto steps = builder.CreateVector(std::vector<flatbuffers::Offset<fbs::Step>>(100000, step));
  const auto none = builder.CreateVector(std::vector<flatbuffers::Offset<fbs::Io>>());
  builder.Finish(fbs::CreatePlan(builder, 0, none, none, steps));
  Program program;
  const absl::Status status = ParsePlan({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}, &program);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("too many places"), absl::string_view::npos) << status;
}

TEST(OmFile, LargeProgramsFitTheParsersBudget) {
  Program program = FakeProgram();
  Step step = program.steps[1];
  step.kernel = std::string(128, 'k');
  step.op = std::string(128, 'o');
  step.node = "";
  step.params = "";
  step.operands.clear();
  program.steps.assign(20000, step);
  const std::string bytes = *SerializeOm(program);
  EXPECT_TRUE(LoadStatus(bytes).ok()) << LoadStatus(bytes);
}

TEST(OmFile, BadProgramsAreNotWritten) {
  Program program = FakeProgram();
  program.steps[0].operands[0].offset = 4096;
  const std::string path = TestPath("bad.om");
  EXPECT_EQ(WriteOm(program, path).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(path).status().code(), absl::StatusCode::kNotFound);
}

TEST(VerifyProgram, NamesTheProblem) {
  const struct {
    const char* message;
    void (*change)(Program*);
  } kRows[] = {
      {"unknown dtype 77", [](Program* p) { p->inputs[0].dtype = static_cast<DType>(77); }},
      {"input 0 'x': 401 bytes, but float32 1x100 has 400", [](Program* p) { p->inputs[0].bytes = 401; }},
      {"output 0 'y'",
       [](Program* p) {
         p->outputs[0].dims = {-1, 100};
       }},
      {"unknown format 'NHCW'", [](Program* p) { p->outputs[0].format = "NHCW"; }},
      {"the name is used twice", [](Program* p) { p->inputs.push_back(p->inputs[0]); }},
      {"the name of input 0 is empty", [](Program* p) { p->inputs[0].name = ""; }},
      {"is not UTF-8", [](Program* p) { p->inputs[0].name = "x\xff"; }},
      {"is not UTF-8", [](Program* p) { p->steps[0].node = std::string("a\0b", 3); }},
      {"step 1 (node 'scale', Mul, kernel fake.scale): operand 0: bytes [0, +897) lie outside the arena of 896 bytes",
       [](Program* p) { p->steps[1].operands[0].size = 897; }},
      {"offset 4 is not a multiple of 64", [](Program* p) { p->steps[1].operands[0].offset = 4; }},
      {"index 1 of 1 inputs", [](Program* p) { p->steps[0].operands[0].index = 1; }},
      {"index 1 of 1 outputs", [](Program* p) { p->steps[2].operands[2].index = 1; }},
      {"index 3 in the weights", [](Program* p) { p->steps[0].operands[1].index = 3; }},
      {"lie outside the weights of 400 bytes", [](Program* p) { p->steps[0].operands[1].offset = 64; }},
      {"lie outside the input of 400 bytes", [](Program* p) { p->steps[0].operands[0].offset = ~uint64_t{0}; }},
      {"unknown memory space 9", [](Program* p) { p->steps[0].operands[0].space = static_cast<Space>(9); }},
      {"operation count -1 is negative", [](Program* p) { p->steps[0].operations = -1; }},
      {"a kernel or operator name of 129 bytes", [](Program* p) { p->steps[0].op = std::string(129, 'o'); }},
      {"the kernel's name is empty", [](Program* p) { p->steps[0].kernel = ""; }},
      {"are not sorted", [](Program* p) { std::swap(p->manifest[0], p->manifest[1]); }},
      {"soc_version is empty", [](Program* p) { p->soc_version = ""; }},
      {"rank", [](Program* p) { p->inputs[0].dims = {1, 1, 1, 1, 1, 1, 1, 1, 100}; }},
  };
  for (const auto& row : kRows) {
    Program program = FakeProgram();
    row.change(&program);
    const absl::Status status = VerifyProgram(program, program.weights.size());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.message;
    EXPECT_NE(status.message().find(row.message), absl::string_view::npos) << status << "\n  lacks: " << row.message;
  }
  Program large = FakeProgram();
  large.arena_size = uint64_t{9} << 30;
  EXPECT_EQ(VerifyProgram(large, large.weights.size()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(VerifyProgram(large, large.weights.size(), {uint64_t{16} << 30}).ok());
}

}  // namespace
}  // namespace omkit::runtime
