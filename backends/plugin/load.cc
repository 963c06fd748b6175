#include "backends/plugin/load.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "backends/backend.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/plugin/handles.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::Node;

class Message {
 public:
  Message() : error_{sizeof(OmkitError), sizeof text_, text_} {}
  OmkitError* error() { return &error_; }
  std::string text() {
    text_[sizeof text_ - 1] = '\0';
    return *text_ == '\0' ? "the plugin gave no reason" : text_;
  }

 private:
  char text_[512] = {};
  OmkitError error_;
};

// The compile side of a plugin for one of its chips.
class PluginBackend : public Backend {
 public:
  PluginBackend(const OmkitPlugin& plugin, const char* soc_version) : plugin_(plugin), soc_version_(soc_version) {}
  const char* name() const override { return plugin_.name; }

  bool Supports(const Graph& graph, const Node& node) const override {
    const OmkitNode handle = Handle(graph, node);
    return plugin_.compiler->supports(&handle) == 1;
  }

  bool SupportsInt8(const Graph& graph, const Node& node) const override {
    if (plugin_.compiler->supports_int8 == nullptr) return npu_int8::NpuInt8Backend().SupportsInt8(graph, node);
    const OmkitNode handle = Handle(graph, node);
    return plugin_.compiler->supports_int8(&handle) == 1;
  }

  std::vector<passes::Pass> Passes() const override {
    std::vector<passes::Pass> list;
    for (uint32_t i = 0; i < plugin_.compiler->pass_count; ++i) {
      const OmkitPass& pass = runtime::EntryAt(plugin_.compiler->passes, i);
      list.push_back({absl::StrCat(plugin_.name, "_", pass.name), [&pass](Graph& graph) { return RunPass(pass, graph); }});
    }
    return list;
  }

  absl::Status Lower(const Node& node, ProgramBuilder& builder) const override {
    const OmkitNode handle = Handle(builder.graph(), node);
    OmkitEmitter emitter = {&node, &builder, &plugin_, absl::OkStatus()};
    Message message;
    const int32_t code = plugin_.compiler->lower(&handle, &emitter, message.error());
    OMKIT_RETURN_IF_ERROR(emitter.status);
    if (code != OMKIT_OK) return absl::InternalError(message.text());
    for (ir::ValueId v : node.outputs) {
      if (!builder.IsPlaced(v))
        return absl::InternalError(absl::StrCat("the plugin did not ask for the memory of output '", builder.graph().value(v).name, "'"));
    }
    return absl::OkStatus();
  }

 private:
  OmkitNode Handle(const Graph& graph, const Node& node) const { return {&graph, &node, soc_version_, &npu_int8::NpuInt8Backend()}; }

  static absl::Status RunPass(const OmkitPass& pass, Graph& graph) {
    OmkitGraph handle = {&graph, {}};
    Message message;
    if (pass.run(&handle, message.error()) != OMKIT_OK) return absl::InternalError(message.text());
    return ir::InferGraph(graph);
  }

  const OmkitPlugin& plugin_;
  const char* soc_version_;
};

const OmkitHost& CompilingHost() {
  static const OmkitHost* const host = [] {
    auto* const table = new OmkitHost(runtime::RunOnlyHost());
    plugin::OfferNodes(table);
    plugin::OfferEmitter(table);
    plugin::OfferGraph(table);
    return table;
  }();
  return *host;
}

}  // namespace

runtime::PluginSet LoadBackendPlugins(absl::string_view plugin_path) {
  static absl::Mutex* const mutex = new absl::Mutex;
  static auto* const added = new std::set<const OmkitPlugin*>;
  runtime::PluginSet set = runtime::LoadPlugins(runtime::PluginFiles(plugin_path), CompilingHost());
  absl::MutexLock lock(mutex);
  for (const runtime::LoadedPlugin& loaded : set.loaded) {
    const OmkitPlugin& plugin = *loaded.table;
    if (!added->insert(&plugin).second || plugin.compiler == nullptr) continue;
    for (uint32_t i = 0; i < plugin.soc_count; ++i) {
      const char* const soc = runtime::EntryAt(plugin.socs, i).soc_version;
      AddBackend(soc, new PluginBackend(plugin, soc));
    }
  }
  return set;
}

}  // namespace omkit
