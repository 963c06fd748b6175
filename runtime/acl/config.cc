#include "runtime/acl/config.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "base/status.h"
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

__attribute__((format(printf, 2, 3))) aclError BadDump(const char* name, const char* format, ...) {
  char why[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "%s: 'dump': %s", name, why);
}

aclError ReadDumpList(const Json& list, const char* name, DumpConfig* dump) {
  if (!list.is_array()) return BadDump(name, "'dump_list' is not a list");
  for (const Json& entry : list) {
    if (!entry.is_object()) return BadDump(name, "an entry of 'dump_list' is not an object");
    if (entry.empty()) continue;
    std::set<std::string> layers;
    std::string model;
    for (const auto& [key, value] : entry.items()) {
      if (key == "model_name" && value.is_string()) {
        model = value.get<std::string>();
      } else if (key == "layer" && value.is_array()) {
        for (const Json& layer : value) {
          if (!layer.is_string()) return BadDump(name, "'layer' holds something that is not a name");
          layers.insert(layer.get<std::string>());
        }
      } else {
        return BadDump(name, "'dump_list' has an entry '%.100s' that cannot be followed", key.c_str());
      }
    }
    if (model.empty()) return BadDump(name, "an entry of 'dump_list' has no 'model_name'");
    dump->models[model] = std::move(layers);
  }
  return ACL_SUCCESS;
}

// A key whose value is one of a few words.
aclError ReadDumpWord(const std::string& key, const Json& value, const char* name, std::initializer_list<const char*> words, std::string* word) {
  if (value.is_string()) {
    *word = value.get<std::string>();
    for (const char* allowed : words) {
      if (*word == allowed) return ACL_SUCCESS;
    }
  }
  std::string list;
  for (const char* allowed : words) list += (list.empty() ? "'" : ", '") + std::string(allowed) + "'";
  return BadDump(name, "'%s' must be one of %s", key.c_str(), list.c_str());
}

aclError ReadDumpKey(const std::string& key, const Json& value, const char* name, DumpConfig* dump) {
  std::string word;
  if (key == "dump_list") return ReadDumpList(value, name, dump);
  if (key == "dump_path") {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) return BadDump(name, "'dump_path' is not the name of a folder");
    dump->path = value.get<std::string>();
    return ACL_SUCCESS;
  }
  if (key == "dump_mode") {
    ACL_RETURN_IF_ERROR(ReadDumpWord(key, value, name, {"input", "output", "all"}, &word));
    dump->inputs = word != "output";
    dump->outputs = word != "input";
    return ACL_SUCCESS;
  }
  if (key == "dump_op_switch") {
    ACL_RETURN_IF_ERROR(ReadDumpWord(key, value, name, {"on", "off"}, &word));
    dump->all_models = word == "on";
    return ACL_SUCCESS;
  }
  if (key == "dump_data") return ReadDumpWord(key, value, name, {"tensor"}, &word);
  if (key == "dump_level") return ReadDumpWord(key, value, name, {"op", "kernel", "all"}, &word);
  if (key == "dump_debug") return ReadDumpWord(key, value, name, {"off"}, &word);
  const std::string nearest = NearestName(key, {"dump_list", "dump_path", "dump_mode", "dump_op_switch", "dump_data", "dump_level", "dump_debug"});
  return BadDump(name, "unknown key '%.100s'%s%s%s", key.c_str(), nearest.empty() ? "" : ", did you mean '", nearest.c_str(),
                 nearest.empty() ? "" : "'?");
}

aclError ApplyDump(const Json& section, const char* name, Config* config) {
  if (!section.is_object()) return BadDump(name, "it is not an object");
  DumpConfig& dump = config->dump;
  for (const auto& [key, value] : section.items()) ACL_RETURN_IF_ERROR(ReadDumpKey(key, value, name, &dump));
  if (!dump.models.empty()) dump.all_models = false;
  config->dumps = dump.all_models || !dump.models.empty();
  if (config->dumps && dump.path.empty()) return BadDump(name, "'dump_path' is missing");
  return ACL_SUCCESS;
}

aclError ApplyProfiler(const Json& profiler, const char* name, Config* config) {
  if (!profiler.is_object()) return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler' is not an object", name);
  config->profile_folder = ".";
  for (const auto& [key, value] : profiler.items()) {
    if (!value.is_string()) return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler': '%.100s' is not a text", name, key.c_str());
    const std::string text = value.get<std::string>();
    std::string why;
    if (key == "switch") {
      if (text != "on" && text != "off") return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler': 'switch' must be 'on' or 'off'", name);
      config->profiles = text == "on";
    } else if (key == "output") {
      if (!text.empty()) config->profile_folder = text;
    } else if (!SetProfileOption(key, text, &config->profile, &why)) {
      return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "%s: 'profiler': %s", name, why.c_str());
    }
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
      ACL_RETURN_IF_ERROR(ApplyDump(value, name, config));
    } else if (key == "profiler") {
      ACL_RETURN_IF_ERROR(ApplyProfiler(value, name, config));
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
