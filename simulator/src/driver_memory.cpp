// Memory of the device and pinned memory of the host, copies, fills, and stream-ordered pools.
#include <cstdlib>
#include <cstring>

#include "driver.h"

using namespace sim;

namespace {

// What lies on the device must lie inside one allocation.
bool is_bad(uintptr_t address, size_t bytes) {
  return device().owns(reinterpret_cast<void*>(address)) && !device().is_inside(address, bytes);
}
bool is_bad(uintptr_t target, uintptr_t source, size_t bytes) { return is_bad(target, bytes) || is_bad(source, bytes); }

uintptr_t host(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

int copy(uintptr_t target, uintptr_t source, size_t bytes) {
  if (is_bad(target, source, bytes)) return kInvalidValue;
  if (const int status = device().run_blocking()) return status;
  memmove(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), bytes);
  return kSuccess;
}

int submit_copy(Stream* handle, uintptr_t target, uintptr_t source, size_t bytes) {
  FIND_STREAM(handle);
  if (is_bad(target, source, bytes)) return kInvalidValue;
  device().submit(stream, NodeKind::Copy, [=]() -> Failure {
    if (is_bad(target, source, bytes)) return {kIllegalAddress, "an asynchronous copy finds its memory freed"};
    memmove(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), bytes);
    return {};
  });
  return kSuccess;
}

template <typename T>
Failure fill(uintptr_t target, T value, size_t count) {
  if (!device().is_inside(target, count * sizeof(T))) return {kIllegalAddress, "a fill finds its memory freed"};
  for (size_t i = 0; i < count; ++i) memcpy(reinterpret_cast<void*>(target + i * sizeof(T)), &value, sizeof(T));
  return {};
}

template <typename T>
int fill_now(uintptr_t target, T value, size_t count) {
  if (target % sizeof(T) != 0 || !device().is_inside(target, count * sizeof(T))) return kInvalidValue;
  if (const int status = device().run_blocking()) return status;
  return fill(target, value, count).status;
}

template <typename T>
int submit_fill(Stream* handle, uintptr_t target, T value, size_t count) {
  FIND_STREAM(handle);
  if (target % sizeof(T) != 0 || !device().is_inside(target, count * sizeof(T))) return kInvalidValue;
  device().submit(stream, NodeKind::Fill, [=] { return fill(target, value, count); });
  return kSuccess;
}

}  // namespace

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

// --- copies ---

SIM_EXPORT int cuMemcpyHtoD_v2(uintptr_t target, const void* source, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().is_inside(target, bytes) ? copy(target, host(source), bytes) : static_cast<int>(kInvalidValue);
}

SIM_EXPORT int cuMemcpyDtoH_v2(void* target, uintptr_t source, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return device().is_inside(source, bytes) ? copy(host(target), source, bytes) : static_cast<int>(kInvalidValue);
}

SIM_EXPORT int cuMemcpyDtoD_v2(uintptr_t target, uintptr_t source, size_t bytes) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return copy(target, source, bytes);
}

SIM_EXPORT int cuMemcpyHtoDAsync_v2(uintptr_t target, const void* source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, target, host(source), bytes);
}

SIM_EXPORT int cuMemcpyDtoHAsync_v2(void* target, uintptr_t source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, host(target), source, bytes);
}

SIM_EXPORT int cuMemcpyDtoDAsync_v2(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, target, source, bytes);
}

SIM_EXPORT int cuMemcpyAsync(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream) {
  CONTEXT();
  return submit_copy(stream, target, source, bytes);
}

// --- fills ---

SIM_EXPORT int cuMemsetD8_v2(uintptr_t target, unsigned char value, size_t count) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return fill_now(target, value, count);
}

SIM_EXPORT int cuMemsetD32_v2(uintptr_t target, unsigned value, size_t count) {
  CONTEXT();
  NOT_WHILE_CAPTURING();
  return fill_now(target, value, count);
}

SIM_EXPORT int cuMemsetD8Async(uintptr_t target, unsigned char value, size_t count, Stream* stream) {
  CONTEXT();
  return submit_fill(stream, target, value, count);
}

SIM_EXPORT int cuMemsetD32Async(uintptr_t target, unsigned value, size_t count, Stream* stream) {
  CONTEXT();
  return submit_fill(stream, target, value, count);
}

// --- pools: all of them are the device's memory ---

SIM_EXPORT int cuDeviceGetDefaultMemPool(void** pool, int) {
  SIM_FAULT();
  *pool = &device();
  return kSuccess;
}

SIM_EXPORT int cuMemPoolCreate(void** pool, const void*) {
  CONTEXT();
  *pool = &device();
  return kSuccess;
}

SIM_EXPORT int cuMemPoolDestroy(void*) {
  CONTEXT();
  return kSuccess;
}

SIM_EXPORT int cuMemPoolSetAttribute(void*, int, void*) {
  SIM_FAULT();
  return kSuccess;
}

SIM_EXPORT int cuMemPoolTrimTo(void*, size_t) {
  CONTEXT();
  return kSuccess;
}

namespace {

// The address is there at once; work of other streams that touches it too early is not noticed. Allocation as a node of a graph is not
// modelled: it is refused, and spoils the recording.
int allocate_on(Stream* handle, uintptr_t* address, size_t bytes) {
  FIND_STREAM(handle);
  if (stream->capture) {
    stream->capture_failed = true;
    return kCaptureUnsupported;
  }
  return device().allocate(bytes, address);
}

}  // namespace

SIM_EXPORT int cuMemAllocFromPoolAsync(uintptr_t* address, size_t bytes, void*, Stream* stream) {
  CONTEXT();
  return allocate_on(stream, address, bytes);
}

SIM_EXPORT int cuMemAllocAsync(uintptr_t* address, size_t bytes, Stream* stream) {
  CONTEXT();
  return allocate_on(stream, address, bytes);
}

SIM_EXPORT int cuMemFreeAsync(uintptr_t address, Stream* handle) {
  CONTEXT();
  FIND_STREAM(handle);
  if (stream->capture) {
    stream->capture_failed = true;
    return kCaptureUnsupported;
  }
  device().enqueue(stream, [=]() -> Failure {
    return device().free(address) == kInvalidValue ? Failure{kInvalidValue, "memory is freed twice"} : Failure{};
  });
  return kSuccess;
}
