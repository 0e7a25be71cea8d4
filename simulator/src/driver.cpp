// The driver functions that Weft binds, with the driver's names, signatures and numbers. Calls that submit work only queue it; calls
// that wait run what is queued, in order, so that a host that forgets to wait sees what was there before.
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "device.h"
#include "module.h"
#include "workers.h"

using namespace sim;

namespace {

Device& device() { return Device::get(); }

bool initialized = false;
thread_local Device* current = nullptr;
uint64_t launch_seed = [] {
  const char* text = getenv("WEFT_SIM_SEED");
  return text ? strtoull(text, nullptr, 10) : 1ull;
}();

int architecture() {
  const char* text = getenv("WEFT_SIM_ARCH");
  return text ? atoi(text) : 90;
}

double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int check_context() {
  if (!initialized) return kNotInitialized;
  if (!current || device().references == 0) return kInvalidContext;
  return device().error();
}

bool is_stream(const Stream* stream) {
  for (const auto& own : device().streams)
    if (own.get() == stream) return true;
  return false;
}

// What lies on the device must lie inside one allocation.
bool bad_range(uintptr_t address, size_t bytes) {
  return device().owns(reinterpret_cast<void*>(address)) && !device().is_inside(address, bytes);
}

int copy(void* target, const void* source, size_t bytes) {
  if (bad_range(reinterpret_cast<uintptr_t>(target), bytes) || bad_range(reinterpret_cast<uintptr_t>(source), bytes)) return kInvalidValue;
  memcpy(target, source, bytes);
  return kSuccess;
}

int submit_copy(Stream* stream, void* target, const void* source, size_t bytes) {
  if (!is_stream(stream)) return kInvalidHandle;
  if (bad_range(reinterpret_cast<uintptr_t>(target), bytes) || bad_range(reinterpret_cast<uintptr_t>(source), bytes)) return kInvalidValue;
  return device().submit(stream, [=]() -> Failure {
    const int status = copy(target, source, bytes);
    return status == kSuccess ? Failure{} : Failure{kIllegalAddress, "an asynchronous copy finds its memory freed"};
  });
}

}  // namespace

#define CONTEXT()                                      \
  SIM_FAULT();                                         \
  std::lock_guard lock(device().mutex);                \
  if (const int status = check_context()) return status

#define NOT_WHILE_CAPTURING() \
  if (device().spoils_capture()) return kCaptureUnsupported

SIM_EXPORT void cudasimSetSeed(uint64_t seed) { launch_seed = seed; }

// --- device and context ---

SIM_EXPORT int cuInit(unsigned) {
  SIM_FAULT();
  initialized = true;
  return kSuccess;
}

SIM_EXPORT int cuDriverGetVersion(int* version) {
  SIM_FAULT();
  const char* text = getenv("WEFT_SIM_DRIVER");
  *version = text ? atoi(text) : 13000;
  return kSuccess;
}

SIM_EXPORT int cuDeviceGetCount(int* count) {
  SIM_FAULT();
  *count = 1;
  return kSuccess;
}

SIM_EXPORT int cuDeviceGet(int* result, int ordinal) {
  SIM_FAULT();
  if (ordinal != 0) return kInvalidDevice;
  *result = 0;
  return kSuccess;
}

SIM_EXPORT int cuDeviceGetName(char* name, int length, int) {
  SIM_FAULT();
  strncpy(name, "software CUDA device", static_cast<size_t>(length));
  return kSuccess;
}

SIM_EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) {
  SIM_FAULT();
  *bytes = device().total();
  return kSuccess;
}

SIM_EXPORT int cuDeviceGetAttribute(int* value, int attribute, int) {
  SIM_FAULT();
  switch (attribute) {
    case 1: *value = 1024; break;               // threads of a block
    case 16: *value = 4; break;                 // multiprocessors
    case 38: *value = 32 << 20; break;          // L2 cache
    case 75: *value = architecture() / 10; break;
    case 76: *value = architecture() % 10; break;
    case 97: *value = architecture() >= 90 ? 232448 : architecture() == 80 ? 166912 : architecture() >= 86 ? 101376 : 65536; break;
    default: *value = 0;
  }
  return kSuccess;
}

SIM_EXPORT int cuDevicePrimaryCtxRetain(void** context, int) {
  SIM_FAULT();
  std::lock_guard lock(device().mutex);
  if (!initialized) return kNotInitialized;
  ++device().references;
  *context = &device();
  return kSuccess;
}

SIM_EXPORT int cuDevicePrimaryCtxRelease_v2(int) {
  SIM_FAULT();
  std::lock_guard lock(device().mutex);
  if (device().references == 0) return kInvalidContext;
  if (--device().references == 0) device().reset();
  return kSuccess;
}

SIM_EXPORT int cuCtxSetCurrent(void* context) {
  SIM_FAULT();
  current = static_cast<Device*>(context);
  return kSuccess;
}

SIM_EXPORT int cuCtxGetCurrent(void** context) {
  SIM_FAULT();
  *context = current;
  return kSuccess;
}

namespace {
thread_local std::vector<Device*> pushed;
}

SIM_EXPORT int cuCtxPushCurrent_v2(void* context) {
  SIM_FAULT();
  if (device().references == 0) return kInvalidContext;
  pushed.push_back(current);
  current = static_cast<Device*>(context);
  return kSuccess;
}

SIM_EXPORT int cuCtxPopCurrent_v2(void** context) {
  SIM_FAULT();
  if (pushed.empty()) return kInvalidContext;
  *context = current;
  current = pushed.back();
  pushed.pop_back();
  return kSuccess;
}

SIM_EXPORT int cuCtxSynchronize() {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().run_all();
}

SIM_EXPORT int cuGetErrorName(int status, const char** text) {
  thread_local std::string name;
  switch (status) {
    case kSuccess: name = "CUDA_SUCCESS"; break;
    case kInvalidValue: name = "CUDA_ERROR_INVALID_VALUE"; break;
    case kOutOfMemory: name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case kNotInitialized: name = "CUDA_ERROR_NOT_INITIALIZED"; break;
    case kInvalidDevice: name = "CUDA_ERROR_INVALID_DEVICE"; break;
    case kInvalidImage: name = "CUDA_ERROR_INVALID_IMAGE"; break;
    case kInvalidContext: name = "CUDA_ERROR_INVALID_CONTEXT"; break;
    case kInvalidHandle: name = "CUDA_ERROR_INVALID_HANDLE"; break;
    case kNotFound: name = "CUDA_ERROR_NOT_FOUND"; break;
    case kNotReady: name = "CUDA_ERROR_NOT_READY"; break;
    case kIllegalAddress: name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
    case kMisalignedAddress: name = "CUDA_ERROR_MISALIGNED_ADDRESS"; break;
    case kLaunchFailed: name = "CUDA_ERROR_LAUNCH_FAILED"; break;
    case kCaptureUnsupported: name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; break;
    case kCaptureInvalidated: name = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"; break;
    default: name = "CUDA_ERROR_" + std::to_string(status);
  }
  *text = name.c_str();
  return kSuccess;
}

SIM_EXPORT int cuGetErrorString(int status, const char** text) {
  thread_local std::string message;
  std::lock_guard lock(device().mutex);
  if (status == device().error() && !device().report().empty()) {
    message = device().report();
  } else {
    switch (status) {
      case kSuccess: message = "no error"; break;
      case kInvalidValue: message = "invalid argument"; break;
      case kOutOfMemory: message = "out of memory"; break;
      case kNotInitialized: message = "initialization error"; break;
      case kInvalidDevice: message = "invalid device ordinal"; break;
      case kInvalidImage: message = "device kernel image is invalid"; break;
      case kInvalidContext: message = "invalid device context"; break;
      case kNotFound: message = "named symbol not found"; break;
      case kIllegalAddress: message = "an illegal memory access was encountered"; break;
      case kLaunchFailed: message = "unspecified launch failure"; break;
      case kCaptureUnsupported: message = "operation not permitted when stream is capturing"; break;
      case kCaptureInvalidated: message = "operation failed due to a previous error during capture"; break;
      default: message = "error " + std::to_string(status);
    }
  }
  *text = message.c_str();
  return kSuccess;
}

// --- memory ---

SIM_EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total) {
  CONTEXT();
  *free = device().total() - device().used();
  *total = device().total();
  return kSuccess;
}

SIM_EXPORT int cuMemAlloc_v2(uintptr_t* address, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().allocate(bytes, address);
}

SIM_EXPORT int cuMemFree_v2(uintptr_t address) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  device().run_all();
  return device().free(address);
}

SIM_EXPORT int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  if (posix_memalign(address, 4096, bytes) != 0) return kOutOfMemory;
  poison(*address, bytes);
  return kSuccess;
}

SIM_EXPORT int cuMemFreeHost(void* address) {
  CONTEXT();
  device().run_all();
  free(address);
  return kSuccess;
}

SIM_EXPORT int cuMemcpyHtoD_v2(uintptr_t target, const void* source, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().is_inside(target, bytes) ? copy(reinterpret_cast<void*>(target), source, bytes) : kInvalidValue;
}

SIM_EXPORT int cuMemcpyDtoH_v2(void* target, uintptr_t source, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().is_inside(source, bytes) ? copy(target, reinterpret_cast<void*>(source), bytes) : kInvalidValue;
}

SIM_EXPORT int cuMemcpyHtoDAsync_v2(uintptr_t target, const void* source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, reinterpret_cast<void*>(target), source, bytes);
}

SIM_EXPORT int cuMemcpyDtoHAsync_v2(void* target, uintptr_t source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, target, reinterpret_cast<void*>(source), bytes);
}

SIM_EXPORT int cuMemcpyDtoDAsync_v2(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, reinterpret_cast<void*>(target), reinterpret_cast<void*>(source), bytes);
}

SIM_EXPORT int cuMemsetD8Async(uintptr_t target, unsigned char value, size_t bytes, Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  if (!device().is_inside(target, bytes)) return kInvalidValue;
  return device().submit(stream, [=]() -> Failure {
    if (!device().is_inside(target, bytes)) return {kIllegalAddress, "a fill finds its memory freed"};
    memset(reinterpret_cast<void*>(target), value, bytes);
    return {};
  });
}

SIM_EXPORT int cuDeviceGetDefaultMemPool(void** pool, int) {
  SIM_FAULT();
  *pool = &device();
  return kSuccess;
}

SIM_EXPORT int cuMemPoolSetAttribute(void*, int, void*) {
  SIM_FAULT();
  return kSuccess;
}

// The address is there at once; work of other streams that touches it too early is not noticed.
SIM_EXPORT int cuMemAllocFromPoolAsync(uintptr_t* address, size_t bytes, void*, Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  return device().allocate(bytes, address);
}

SIM_EXPORT int cuMemFreeAsync(uintptr_t address, Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  return device().submit(stream, [=]() -> Failure {
    return device().free(address) == kSuccess ? Failure{} : Failure{kInvalidValue, "memory is freed twice"};
  });
}

// --- streams and events ---

SIM_EXPORT int cuStreamCreate(Stream** stream, unsigned) {
  CONTEXT();
  device().streams.push_back(std::make_unique<Stream>());
  *stream = device().streams.back().get();
  return kSuccess;
}

SIM_EXPORT int cuStreamDestroy_v2(Stream* stream) {
  CONTEXT();
  for (auto at = device().streams.begin(); at != device().streams.end(); ++at) {
    if (at->get() != stream) continue;
    device().run(stream);
    device().streams.erase(at);
    return kSuccess;
  }
  return kInvalidHandle;
}

SIM_EXPORT int cuStreamSynchronize(Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  NOT_WHILE_CAPTURING();
  return device().run(stream);
}

SIM_EXPORT int cuStreamQuery(Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  if (stream->queue.empty()) return kSuccess;
  device().run(stream);
  return device().error() ? device().error() : static_cast<int>(kNotReady);
}

SIM_EXPORT int cuEventCreate(Event** event, unsigned) {
  CONTEXT();
  *event = new Event();
  return kSuccess;
}

SIM_EXPORT int cuEventDestroy_v2(Event* event) {
  CONTEXT();
  // Queued work may still name it.
  device().run_all();
  delete event;
  return kSuccess;
}

SIM_EXPORT int cuEventRecord(Event* event, Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  const int status = device().submit(stream, [=]() -> Failure {
    event->milliseconds = now();
    return {};
  });
  if (!stream->capture) {
    event->recorded = true;
    event->stream = stream;
    event->ticket = stream->submitted;
  }
  return status;
}

namespace {
int reach(Event* event) {
  if (!event->recorded || !is_stream(event->stream)) return kSuccess;
  return device().run_until(event->stream, event->ticket);
}
}  // namespace

SIM_EXPORT int cuEventQuery(Event* event) {
  CONTEXT();
  if (!event->recorded || !is_stream(event->stream) || event->stream->done >= event->ticket) return kSuccess;
  reach(event);
  return device().error() ? device().error() : static_cast<int>(kNotReady);
}

SIM_EXPORT int cuEventSynchronize(Event* event) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return reach(event);
}

SIM_EXPORT int cuEventElapsedTime(float* milliseconds, Event* start, Event* end) {
  CONTEXT();
  if (!start->recorded || !end->recorded) return kInvalidHandle;
  *milliseconds = static_cast<float>(end->milliseconds - start->milliseconds);
  return kSuccess;
}

SIM_EXPORT int cuStreamWaitEvent(Stream* stream, Event* event, unsigned) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  if (!event->recorded) return kSuccess;
  return device().submit(stream, [other = event->stream, ticket = event->ticket]() -> Failure {
    if (is_stream(other)) device().run_until(other, ticket);
    return {};
  });
}

// --- graphs ---

SIM_EXPORT int cuStreamBeginCapture_v2(Stream* stream, int) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  if (stream->capture) return kInvalidValue;
  stream->capture = std::make_unique<Graph>();
  stream->capture_failed = false;
  return kSuccess;
}

SIM_EXPORT int cuStreamEndCapture(Stream* stream, Graph** graph) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  *graph = nullptr;
  if (!stream->capture) return kInvalidValue;
  auto captured = std::move(stream->capture);
  if (stream->capture_failed) return kCaptureInvalidated;
  *graph = captured.release();
  return kSuccess;
}

SIM_EXPORT int cuStreamIsCapturing(Stream* stream, int* status) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  *status = !stream->capture ? 0 : stream->capture_failed ? 2 : 1;
  return kSuccess;
}

SIM_EXPORT int cuGraphInstantiateWithFlags(Graph** instance, const Graph* graph, unsigned long long) {
  CONTEXT();
  *instance = new Graph(*graph);
  return kSuccess;
}

SIM_EXPORT int cuGraphGetNodes(const Graph* graph, void** nodes, size_t* count) {
  CONTEXT();
  if (nodes) return kInvalidValue;
  *count = graph->operations.size();
  return kSuccess;
}

SIM_EXPORT int cuGraphDestroy(Graph* graph) {
  SIM_FAULT();
  delete graph;
  return kSuccess;
}

SIM_EXPORT int cuGraphExecDestroy(Graph* graph) {
  SIM_FAULT();
  delete graph;
  return kSuccess;
}

SIM_EXPORT int cuGraphLaunch(const Graph* graph, Stream* stream) {
  CONTEXT();
  if (!is_stream(stream)) return kInvalidHandle;
  for (const auto& operation : graph->operations) device().submit(stream, operation);
  return kSuccess;
}

// --- modules and launches ---

SIM_EXPORT int cuModuleLoadData(Module** module, const void* image) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  *module = load_module(image);
  return *module ? kSuccess : kInvalidImage;
}

SIM_EXPORT int cuModuleUnload(Module* module) {
  CONTEXT();
  device().run_all();
  delete module;
  return kSuccess;
}

SIM_EXPORT int cuModuleGetFunction(Function** function, Module* module, const char* name) {
  CONTEXT();
  for (auto& own : module->functions) {
    if (strcmp(own.entry->name, name) != 0) continue;
    *function = &own;
    return kSuccess;
  }
  return kNotFound;
}

SIM_EXPORT int cuFuncGetAttribute(int* value, int attribute, Function* function) {
  CONTEXT();
  *value = attribute == 0 ? 1024 : attribute == 8 ? static_cast<int>(function->allowed_shared) : 0;
  return kSuccess;
}

SIM_EXPORT int cuFuncSetAttribute(Function* function, int attribute, int value) {
  CONTEXT();
  if (attribute != 8) return kSuccess;
  int most = 0;
  cuDeviceGetAttribute(&most, 97, 0);
  if (value < 0 || value > most) return kInvalidValue;
  function->allowed_shared = static_cast<size_t>(value);
  return kSuccess;
}

SIM_EXPORT int cuFuncGetParamInfo(Function* function, size_t index, size_t* offset, size_t* size) {
  CONTEXT();
  if (index != 0) return kInvalidValue;
  *offset = 0;
  *size = function->entry->parameter_bytes;
  return kSuccess;
}

SIM_EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function*, int block_size, size_t shared_bytes) {
  CONTEXT();
  const int by_threads = 2048 / std::max(1, block_size);
  const int by_shared = shared_bytes == 0 ? 32 : static_cast<int>(228 * 1024 / (shared_bytes + 1024));
  *blocks = std::min({32, by_threads, by_shared});
  return kSuccess;
}

namespace {

struct LaunchConfig {
  unsigned grid[3], block[3], shared_bytes;
  Stream* stream;
  const void* attributes;
  unsigned attribute_count;
};

int launch(const LaunchConfig& config, Function* function, void** parameters) {
  if (!is_stream(config.stream)) return kInvalidHandle;
  const uint64_t threads = static_cast<uint64_t>(config.block[0]) * config.block[1] * config.block[2];
  const bool empty = config.grid[0] == 0 || config.grid[1] == 0 || config.grid[2] == 0 || threads == 0;
  if (empty || threads > 1024 || config.grid[0] > 2147483647u || config.grid[1] > 65535 || config.grid[2] > 65535) return kInvalidValue;
  if (config.shared_bytes > function->allowed_shared) return kInvalidValue;
  // Arguments are copied at the call, as the driver does.
  auto bytes = std::make_shared<std::vector<std::max_align_t>>(function->entry->parameter_bytes / sizeof(std::max_align_t) + 1);
  memcpy(bytes->data(), parameters[0], function->entry->parameter_bytes);
  return device().submit(config.stream, [=, library = function->library]() {
    Launch launch;
    launch.name = function->entry->expression;
    launch.run = function->entry->run;
    launch.parameters = bytes->data();
    launch.grid = {config.grid[0], config.grid[1], config.grid[2]};
    launch.block = {config.block[0], config.block[1], config.block[2]};
    launch.shared_bytes = config.shared_bytes;
    launch.seed = launch_seed;
    return run_grid(launch);
  });
}

}  // namespace

SIM_EXPORT int cuLaunchKernelEx(const LaunchConfig* config, Function* function, void** parameters, void**) {
  CONTEXT();
  return launch(*config, function, parameters);
}
