// Modules, their functions, and launches.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.h"
#include "workers.h"

using namespace sim;

namespace {

constexpr int kMaxThreads = 1024, kMaxDynamicShared = 8;

uint64_t launch_seed = [] {
  const char* text = getenv("WEFT_SIM_SEED");
  return text ? strtoull(text, nullptr, 10) : 1ull;
}();

int load(Module** module, const void* image) {
  NOT_WHILE_CAPTURING();
  *module = load_module(image);
  return *module ? kSuccess : kInvalidImage;
}

struct LaunchConfig {
  unsigned grid[3], block[3], shared_bytes;
  Stream* stream;
  const void* attributes;
  unsigned attribute_count;
};

bool is_launchable(const LaunchConfig& config) {
  const auto &g = config.grid, &b = config.block;
  if (g[0] == 0 || g[1] == 0 || g[2] == 0 || b[0] == 0 || b[1] == 0 || b[2] == 0) return false;
  if (g[0] > 2147483647u || g[1] > 65535 || g[2] > 65535 || b[0] > 1024 || b[1] > 1024 || b[2] > 64) return false;
  return static_cast<uint64_t>(b[0]) * b[1] * b[2] <= kMaxThreads;
}

int launch(const LaunchConfig& config, const Function* function, void** parameters) {
  FIND_STREAM(config.stream);
  if (!function) return kInvalidHandle;
  if (!parameters || !is_launchable(config) || config.shared_bytes > function->allowed_shared) return kInvalidValue;
  // Arguments are copied at the call, as the driver does; the library stays as long as something recorded may run it.
  const auto* entry = function->entry;
  auto bytes = std::make_shared<std::vector<std::max_align_t>>(entry->parameter_bytes / sizeof(std::max_align_t) + 1);
  memcpy(bytes->data(), parameters[0], entry->parameter_bytes);
  device().submit(stream, NodeKind::Kernel, [=, library = function->library]() {
    Launch launch;
    launch.name = entry->expression;
    launch.run = entry->run;
    launch.parameters = bytes->data();
    launch.grid = {config.grid[0], config.grid[1], config.grid[2]};
    launch.block = {config.block[0], config.block[1], config.block[2]};
    launch.shared_bytes = config.shared_bytes;
    launch.seed = launch_seed;
    return run_grid(launch);
  });
  return kSuccess;
}

}  // namespace

SIM_EXPORT void cudasimSetSeed(uint64_t seed) { launch_seed = seed; }

SIM_EXPORT int cuModuleLoadData(Module** module, const void* image) {
  CONTEXT();
  return load(module, image);
}

SIM_EXPORT int cuModuleLoadDataEx(Module** module, const void* image, unsigned, const int*, void**) {
  CONTEXT();
  return load(module, image);
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
  *value = attribute == 0 ? kMaxThreads : attribute == kMaxDynamicShared ? static_cast<int>(function->allowed_shared) : 0;
  return kSuccess;
}

SIM_EXPORT int cuFuncSetAttribute(Function* function, int attribute, int value) {
  CONTEXT();
  if (attribute != kMaxDynamicShared) return kSuccess;
  if (value < 0 || value > max_shared_bytes()) return kInvalidValue;
  function->allowed_shared = static_cast<size_t>(value);
  return kSuccess;
}

SIM_EXPORT int cuFuncGetParamInfo(Function* function, size_t index, size_t* offset, size_t* size) {
  CONTEXT();
  if (index != 0) return kInvalidValue;
  *offset = 0;
  if (size) *size = function->entry->parameter_bytes;
  return kSuccess;
}

SIM_EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function*, int block_size, size_t shared_bytes) {
  CONTEXT();
  const int by_threads = 2048 / std::max(1, block_size);
  const int by_shared =
      shared_bytes == 0 ? 32 : static_cast<int>(static_cast<size_t>(multiprocessor_shared_bytes()) / (shared_bytes + 1024));
  *blocks = std::min({32, by_threads, by_shared});
  return kSuccess;
}

// Programmatic dependent launch is an attribute that lets a launch begin early: here every launch begins when the one before has ended.
SIM_EXPORT int cuLaunchKernelEx(const LaunchConfig* config, Function* function, void** parameters, void** extra) {
  CONTEXT();
  return extra ? static_cast<int>(kInvalidValue) : launch(*config, function, parameters);
}

SIM_EXPORT int cuLaunchKernel(Function* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                              unsigned block_z, unsigned shared_bytes, Stream* stream, void** parameters, void** extra) {
  CONTEXT();
  const LaunchConfig config = {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, stream, nullptr, 0};
  return extra ? static_cast<int>(kInvalidValue) : launch(config, function, parameters);
}
