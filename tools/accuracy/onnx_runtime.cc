#include "tools/accuracy/onnx_runtime.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "nlohmann/json.hpp"

extern char** environ;

namespace omkit::accuracy {
namespace {

constexpr uint64_t kMostText = 1 << 20;
constexpr uint64_t kMostElements = uint64_t{1} << 32;
constexpr uint64_t kMostOutputs = 1 << 16;

// Reads the request from its first argument, then for each sample all inputs from standard input, in order; answers on standard output.
// Every answer is a text with its length in front, empty when all is well; behind that of a sample the number of outputs, and for each
// the number of elements and the elements as float32. Numbers are 64 bits, little-endian.
constexpr char kScript[] = R"js(
const fs = require('fs'), os = require('os'), path = require('path'), {createRequire} = require('module');
const request = JSON.parse(process.argv[1]);
const types = {float32: Float32Array, float64: Float64Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array};
const fromHalf = h => {
  const sign = h & 0x8000 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * fraction / 1024);
};
function write(buffer) {
  for (let at = 0; at < buffer.length;) at += fs.writeSync(1, buffer, at);
}
function number(value) {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  write(buffer);
}
function verdict(text) {
  const bytes = Buffer.from(text).subarray(0, 1 << 20);
  number(bytes.length);
  write(bytes);
}
function read(size) {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < size;) {
    const got = fs.readSync(0, buffer, at, size - at);
    if (got === 0) process.exit(0);
    at += got;
  }
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + size);
}
function load() {
  const places = [process.env.OMKIT_ORACLE_DIR, path.join(process.env.XDG_CACHE_HOME || path.join(os.userInfo().homedir, '.cache'), 'omkit-oracle'),
    process.cwd(), ...(process.env.NODE_PATH || '').split(':').map(p => p && path.dirname(p))];
  for (const place of places) {
    try {
      if (place) return createRequire(path.join(place, 'package.json'))('onnxruntime-node');
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  verdict('U--reference=onnxruntime: onnxruntime-node is not installed; run tests/oracle/install.sh, or npm install onnxruntime-node here');
  process.exit(77);
}
(async () => {
  try {
    const ort = load();
    const session = await ort.InferenceSession.create(request.model,
      {executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3});
    verdict('');
    for (;;) {
      const feeds = {};
      for (const input of request.inputs) {
        const elements = input.dims.reduce((a, b) => a * b, 1), array = types[input.type];
        feeds[input.name] = new ort.Tensor(input.type, new array(read(elements * array.BYTES_PER_ELEMENT)), input.dims);
      }
      const results = await session.run(feeds);
      verdict('');
      number(session.outputNames.length);
      for (const name of session.outputNames) {
        const {type, data} = results[name];
        const floats = Float32Array.from(data, type === 'float16' ? fromHalf : Number);
        number(floats.length);
        write(Buffer.from(floats.buffer));
      }
    }
  } catch (error) {
    verdict('I' + String(error.message || error).split('\n')[0]);
    process.exit(1);
  }
})();
)js";

absl::Status Ended() { return absl::UnavailableError("--reference=onnxruntime: the node process ended; is node 14 or newer installed?"); }

}  // namespace

absl::StatusOr<std::unique_ptr<OnnxRuntime>> OnnxRuntime::Start(const std::string& model, const ir::Graph& graph) {
  nlohmann::json request = {{"model", model}, {"inputs", nlohmann::json::array()}};
  for (ir::ValueId v : graph.inputs()) {
    const TensorType& type = graph.value(v).type;
    request["inputs"].push_back({{"name", graph.value(v).name}, {"type", Name(type.dtype)}, {"dims", type.shape.vec()}});
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return absl::InternalError(absl::StrCat("socketpair: ", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::string text = request.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
  std::string words[] = {"node", "-e", kScript, text};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t process = -1;
  const int failed = posix_spawnp(&process, "node", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return absl::UnavailableError(absl::StrCat("--reference=onnxruntime: node cannot be started (", std::strerror(failed),
                                               "); install nodejs and onnxruntime-node, for example with tests/oracle/install.sh"));
  }
  std::unique_ptr<OnnxRuntime> runtime(new OnnxRuntime(process, ends[0]));
  OMKIT_RETURN_IF_ERROR(runtime->ReceiveVerdict());
  return runtime;
}

OnnxRuntime::~OnnxRuntime() {
  close(socket_);  // the process ends when its input does
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) continue;
}

absl::Status OnnxRuntime::Send(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  for (size_t at = 0; at < size;) {
    const ssize_t sent = send(socket_, bytes + at, size - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return Ended();
    at += static_cast<size_t>(sent);
  }
  return absl::OkStatus();
}

absl::Status OnnxRuntime::Receive(void* data, size_t size) {
  char* bytes = static_cast<char*>(data);
  for (size_t at = 0; at < size;) {
    const ssize_t got = recv(socket_, bytes + at, size - at, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Ended();
    at += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> OnnxRuntime::ReceiveNumber(uint64_t most) {
  uint64_t number = 0;
  OMKIT_RETURN_IF_ERROR(Receive(&number, sizeof number));
  if (number > most) return absl::InternalError("--reference=onnxruntime: the node process answers nonsense");
  return number;
}

absl::Status OnnxRuntime::ReceiveVerdict() {
  OMKIT_ASSIGN_OR_RETURN(const uint64_t size, ReceiveNumber(kMostText));
  std::string text(size, '\0');
  OMKIT_RETURN_IF_ERROR(Receive(text.data(), text.size()));
  if (text.empty()) return absl::OkStatus();
  if (text[0] == 'U') return absl::UnavailableError(text.substr(1));
  return absl::InvalidArgumentError(absl::StrCat("ONNX Runtime: ", text.substr(1)));
}

absl::StatusOr<std::vector<std::vector<float>>> OnnxRuntime::Run(absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    const absl::Status sent = Send(input.raw(), input.bytes());
    if (!sent.ok()) break;  // what was wrong is in the verdict
  }
  OMKIT_RETURN_IF_ERROR(ReceiveVerdict());
  OMKIT_ASSIGN_OR_RETURN(const uint64_t count, ReceiveNumber(kMostOutputs));
  std::vector<std::vector<float>> outputs(count);
  for (std::vector<float>& output : outputs) {
    OMKIT_ASSIGN_OR_RETURN(const uint64_t elements, ReceiveNumber(kMostElements));
    output.resize(elements);
    OMKIT_RETURN_IF_ERROR(Receive(output.data(), elements * sizeof(float)));
  }
  return outputs;
}

}  // namespace omkit::accuracy
