#include "runtime/acl/config.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "nlohmann/json.hpp"
#include "runtime/acl/errors.h"

namespace omkit::acl {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 10;
constexpr size_t kMaxBytes = size_t{10} << 20;

// Depth of braces and brackets outside strings.
int Depth(absl::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = ++depth > deepest ? depth : deepest;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

// A number written as a number or as a string.
bool ReadInteger(const Json& value, int64_t* out) {
  if (value.is_number_integer()) {
    *out = value.get<int64_t>();
    return true;
  }
  return value.is_string() && absl::SimpleAtoi(value.get_ref<const std::string&>(), out);
}

aclError ApplyDump(const Json& dump, const char* name) {
  if (!dump.is_object()) return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "%s: 'dump' is not an object", name);
  const bool lists = dump.contains("dump_list") && !dump["dump_list"].empty();
  const bool debug = dump.contains("dump_debug") && dump["dump_debug"] == "on";
  if (lists || debug || dump.contains("dump_scene")) {
    return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "%s: 'dump' asks for dumps of tensors, which this library does not write", name);
  }
  return ACL_SUCCESS;
}

aclError ApplyProfiler(const Json& profiler, const char* name) {
  if (!profiler.is_object()) return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler' is not an object", name);
  if (profiler.contains("switch") && profiler["switch"] == "on") {
    return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler' is switched on, but profiles are not started by this file", name);
  }
  return ACL_SUCCESS;
}

aclError ApplyDefaultDevice(const Json& value, const char* name, Config* config) {
  int64_t id = -1;
  if (!value.is_object() || !value.contains("default_device") || !ReadInteger(value["default_device"], &id) || id < 0 || id > INT32_MAX) {
    return Fail(ACL_ERROR_INVALID_PARAM, "%s: 'defaultDevice' must be {\"default_device\": \"<id>\"}", name);
  }
  config->default_device = static_cast<int32_t>(id);
  return ACL_SUCCESS;
}

aclError ApplyErrorMode(const Json& value, const char* name, Config* config) {
  int64_t mode = -1;
  if (!ReadInteger(value, &mode) || mode < 0 || mode > 1) {
    return Fail(ACL_ERROR_INVALID_PARAM, "%s: 'err_msg_mode' must be \"0\" (per thread) or \"1\" (per process)", name);
  }
  config->process_messages = mode == 1;
  return ACL_SUCCESS;
}

aclError ApplyQueueLimit(const Json& value, const char* name) {
  int64_t limit = 0;
  if (!ReadInteger(value, &limit) || limit <= 0) {
    return Fail(ACL_ERROR_INVALID_PARAM, "%s: 'max_opqueue_num' must be a positive integer", name);
  }
  return ACL_SUCCESS;
}

}  // namespace

aclError ParseConfig(absl::string_view text, const char* name, Config* config) {
  if (text.find_first_not_of(" \t\r\n") == absl::string_view::npos) return ACL_SUCCESS;
  if (const int depth = Depth(text); depth > kMaxDepth) {
    return Fail(ACL_ERROR_PARSE_FILE, "%s is nested %d deep", name, depth);
  }
  const Json root = Json::parse(text.begin(), text.end(), nullptr, false);
  if (root.is_discarded() || !root.is_object()) return Fail(ACL_ERROR_PARSE_FILE, "%s is not a JSON object", name);
  for (const auto& [key, value] : root.items()) {
    if (key == "dump") {
      ACL_RETURN_IF_ERROR(ApplyDump(value, name));
    } else if (key == "profiler") {
      ACL_RETURN_IF_ERROR(ApplyProfiler(value, name));
    } else if (key == "defaultDevice") {
      ACL_RETURN_IF_ERROR(ApplyDefaultDevice(value, name, config));
    } else if (key == "err_msg_mode") {
      ACL_RETURN_IF_ERROR(ApplyErrorMode(value, name, config));
    } else if (key == "max_opqueue_num") {
      ACL_RETURN_IF_ERROR(ApplyQueueLimit(value, name));
    } else if (key != "StackSize") {
      Log(ACL_WARNING, "%s: unknown key '%s' is ignored", name, key.c_str());
    }
  }
  return ACL_SUCCESS;
}

aclError ReadConfig(const char* path, Config* config) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "rbe"), [](FILE* f) { return f != nullptr ? std::fclose(f) : 0; });
  if (file == nullptr) return Fail(ACL_ERROR_INVALID_FILE, "cannot open '%s': %s", path, std::strerror(errno));
  std::string text;
  char block[4096];
  while (const size_t got = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, got);
    if (text.size() > kMaxBytes) return Fail(ACL_ERROR_INVALID_FILE_SIZE, "'%s' is larger than 10 MiB", path);
  }
  if (std::ferror(file.get())) return Fail(ACL_ERROR_INVALID_FILE, "cannot read '%s': %s", path, std::strerror(errno));
  return ParseConfig(text, path, config);
}

}  // namespace omkit::acl
