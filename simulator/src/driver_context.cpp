// Devices, the primary context, and what the driver says of its statuses.
#include <cstdlib>
#include <cstring>

#include "driver.h"

namespace sim {

thread_local Device* current = nullptr;
bool initialized = false;

int architecture() {
  const char* text = getenv("WEFT_SIM_ARCH");
  return text ? atoi(text) : 90;
}

int max_shared_bytes() { return architecture() >= 90 ? 232448 : architecture() == 80 ? 166912 : architecture() >= 86 ? 101376 : 65536; }

// From sm_80 on, each block's first KiB is the system's.
int multiprocessor_shared_bytes() { return architecture() < 80 ? 65536 : max_shared_bytes() + 1024; }

int check_context() {
  if (!initialized) return kNotInitialized;
  if (!current || device().references == 0) return kInvalidContext;
  return device().error();
}

}  // namespace sim

using namespace sim;

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
  if (!initialized) return kNotInitialized;
  *count = 1;
  return kSuccess;
}

SIM_EXPORT int cuDeviceGet(int* result, int ordinal) {
  SIM_FAULT();
  if (!initialized) return kNotInitialized;
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
    case 1:
      *value = 1024;
      break;  // threads of a block, then its sides, then the grid's
    case 2:
    case 3:
      *value = 1024;
      break;
    case 4:
      *value = 64;
      break;
    case 5:
      *value = 2147483647;
      break;
    case 6:
    case 7:
      *value = 65535;
      break;
    case 8:
      *value = 48 * 1024;
      break;  // shared memory of a block that asks for nothing
    case 10:
      *value = 32;
      break;  // lanes of a warp
    case 12:
      *value = 65536;
      break;  // registers of a block
    case 16:
      *value = 4;
      break;  // multiprocessors
    case 38:
      *value = 32 << 20;
      break;  // L2 cache
    case 39:
      *value = 2048;
      break;  // threads of a multiprocessor
    case 75:
      *value = architecture() / 10;
      break;
    case 76:
      *value = architecture() % 10;
      break;
    case 81:
      *value = multiprocessor_shared_bytes();
      break;
    case 97:
      *value = max_shared_bytes();
      break;
    case 115:
      *value = 1;
      break;  // memory pools
    default:
      *value = 0;
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

SIM_EXPORT int cuDevicePrimaryCtxReset_v2(int) {
  SIM_FAULT();
  std::lock_guard lock(device().mutex);
  if (!initialized) return kNotInitialized;
  device().reset();
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
  if (device().is_capturing()) {
    device().spoils_capture();
    return kCaptureUnsupported;
  }
  return device().run_all();
}

SIM_EXPORT int cuGetErrorName(int status, const char** text) {
  *text = name_of(status);
  return kSuccess;
}

// The report of what broke the context where there is one, else the driver's own words.
SIM_EXPORT int cuGetErrorString(int status, const char** text) {
  thread_local std::string message;
  std::lock_guard lock(device().mutex);
  message = status != kSuccess && status == device().error() && !device().report().empty() ? device().report() : text_of(status);
  *text = message.c_str();
  return kSuccess;
}
