// msprof's options, and a whole run of a client.
#include "tools/msprof/msprof.h"

#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace omkit::msprof {
namespace {

std::string client;

std::string Folder(const std::string& name) { return testing::TempDir() + "/" + name; }

std::vector<std::string> List(const std::string& folder) {
  std::vector<std::string> names;
  DIR* const dir = opendir(folder.c_str());
  while (const dirent* entry = dir != nullptr ? readdir(dir) : nullptr) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  if (dir != nullptr) closedir(dir);
  return names;
}

// Path of the only file in `folder` whose name begins so.
std::string Only(const std::string& folder, const std::string& begin) {
  std::vector<std::string> found;
  for (const std::string& name : List(folder)) {
    if (name.rfind(begin, 0) == 0) found.push_back(folder + "/" + name);
  }
  EXPECT_EQ(found.size(), 1u) << folder << " " << begin;
  return found.empty() ? "" : found[0];
}

std::vector<std::string> Lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) fields.emplace_back();
    else fields.back() += c;
  }
  return fields;
}

TEST(Options, WordsOfACommand) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(*SplitCommand("./main  net.om"), (Words{"./main", "net.om"}));
  EXPECT_EQ(*SplitCommand("a 'b c' \"d 'e\" f\\ g ''"), (Words{"a", "b c", "d 'e", "f g", ""}));
  EXPECT_FALSE(SplitCommand("a 'b").ok());
  EXPECT_FALSE(SplitCommand("  ").ok());
}

TEST(Options, ProgramAndFlags) {
  const auto options = ParseOptions({"--output=prof", "--task-time", "l1", "--l2=on", "--environment=A=b;C=d e", "./main", "--output=mine"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->output, "prof");
  EXPECT_EQ(options->record, "task-time=l1");
  EXPECT_EQ(options->program, (std::vector<std::string>{"./main", "--output=mine"}));
  EXPECT_EQ(options->environment, (std::vector<std::string>{"A=b", "C=d e"}));
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } bad[] = {
      {{}, "no program"},
      {{"--ouput=x", "a"}, "did you mean '--output'"},
      {{"--output"}, "needs a value"},
      {{"--type=db", "a"}, "only 'text'"},
      {{"--export=on"}, "need --output"},
      {{"--application=a", "b"}, "second program"},
      {{"--environment=A", "b"}, "NAME=value"},
  };
  for (const auto& c : bad) {
    EXPECT_NE(ParseOptions(c.arguments).status().message().find(c.message), std::string::npos) << ParseOptions(c.arguments).status();
  }
}

TEST(Run, HelpAndMistakes) {
  std::ostringstream out, err;
  EXPECT_EQ(RunMsprof({"--help"}, out, err), 0);
  EXPECT_NE(out.str().find("--application"), std::string::npos);
  EXPECT_EQ(RunMsprof({"--nonsense=1", "a"}, out, err), 2);
  EXPECT_EQ(RunMsprof({"--output=" + Folder("none"), "/nonexistent/program"}, out, err), 127);
  EXPECT_EQ(RunMsprof({"--output=" + Folder("none"), "true"}, out, err), 1);
  EXPECT_NE(err.str().find("no profile was written"), std::string::npos);
  EXPECT_EQ(RunMsprof({"--export=on", "--output=" + Folder("none")}, out, err), 1);
}

TEST(Run, WritesWhatAClientDid) {
  std::ostringstream out, err;
  const std::string folder = Folder("prof/deep");
  ASSERT_EQ(
      RunMsprof({"--output=" + folder, "--environment=TEST_CLIENT_FOLDER=" + testing::TempDir(), "--application=" + client + " finish"}, out, err), 0)
      << err.str();
  const std::string root = Only(folder, "PROF_000001_");
  const std::string files = root + "/mindstudio_profiler_output";
  EXPECT_NE(out.str().find(root.substr(root.rfind('/')) + "/mindstudio_profiler_output"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("Mul"), std::string::npos) << out.str();
  std::ostringstream list;
  EXPECT_EQ(RunMsprof({"--export=on", "--output=" + root}, list, err), 0);
  EXPECT_NE(list.str().find("op_summary_"), std::string::npos);

  const std::vector<std::string> summary = Lines(Only(files, "op_summary_"));
  ASSERT_EQ(summary.size(), 4u);  // three executions of one operator
  const std::vector<std::string> header = Fields(summary[0]), row = Fields(summary[3]);
  ASSERT_EQ(header.size(), row.size());
  const auto field = [&](const std::string& name) { return row[std::find(header.begin(), header.end(), name) - header.begin()]; };
  EXPECT_EQ(field("Op Name"), "scale");
  EXPECT_EQ(field("OP Type"), "Mul");
  EXPECT_EQ(field("Model Name"), "tiny");
  EXPECT_EQ(field("Infer ID"), "3");
  EXPECT_EQ(field("Task Type"), "AI_CORE");
  EXPECT_EQ(field("Input Shapes"), "1,4,4,4");
  EXPECT_EQ(field("Output Data Types"), "FLOAT");
  EXPECT_EQ(field("Input Formats"), "NCHW");
  EXPECT_GT(std::stod(field("Task Start Time(us)")), 0);
  EXPECT_GE(std::stod(field("Task Duration(us)")), 0);

  const std::vector<std::string> statistic = Lines(Only(files, "op_statistic_"));
  ASSERT_EQ(statistic.size(), 2u);
  EXPECT_EQ(statistic[1].rfind("0,Mul,AI_CORE,3,", 0), 0u) << statistic[1];
  EXPECT_EQ(Fields(statistic[1]).back(), "100.000");
  bool executes = false;
  for (const std::string& line : Lines(Only(files, "api_statistic_"))) executes |= line.rfind("host,ascendcl,aclmdlExecute,", 0) == 0;
  EXPECT_TRUE(executes);
  EXPECT_EQ(Lines(Only(files, "step_trace_")).size(), 4u);
  EXPECT_EQ(Lines(Only(files, "task_time_")).size(), 4u);

  std::ifstream json(Only(files, "msprof_2"));
  const nlohmann::json timeline = nlohmann::json::parse(json, nullptr, false);
  ASSERT_TRUE(timeline.is_array());
  int calls = 0, ops = 0;
  double call_begin = 0, call_end = 0;
  for (const auto& event : timeline) {
    if (event["ph"] != "X") continue;
    if (event["name"] == "AscendCL@aclmdlExecute") {
      ++calls;
      call_begin = event["ts"];
      call_end = call_begin + event["dur"].get<double>();
    }
    ops += event["name"] == "scale";
  }
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(ops, 3);
  for (const auto& event : timeline) {
    if (event["name"] == "scale" && event["args"]["Infer Id"] == 3) {
      EXPECT_GE(event["ts"].get<double>() + 0.001, call_begin);
      EXPECT_LE(event["ts"].get<double>() + event["dur"].get<double>(), call_end + 0.001);
    }
  }
}

TEST(Run, AProgramThatEndsWithoutFinalizing) {
  std::ostringstream out, err;
  const std::string folder = Folder("exit");
  setenv("TEST_CLIENT_FOLDER", testing::TempDir().c_str(), 1);
  EXPECT_EQ(RunMsprof({"--output", folder, "--ascendcl=off", client, "exit"}, out, err), 3);
  const std::string files = Only(folder, "PROF_") + "/mindstudio_profiler_output";
  EXPECT_EQ(Lines(Only(files, "op_summary_")).size(), 4u);
  EXPECT_EQ(Lines(Only(files, "api_statistic_")).size(), 1u);
}

}  // namespace
}  // namespace omkit::msprof

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) omkit::msprof::client = argv[1];
  if (!omkit::msprof::client.empty() && omkit::msprof::client[0] != '/') omkit::msprof::client = "./" + omkit::msprof::client;
  return RUN_ALL_TESTS();
}
