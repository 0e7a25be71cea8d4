// The exported functions that the tests call, as Interop binds them.
#pragma once

#include <cstddef>
#include <cstdint>

struct Context;
struct Stream;
struct Event;
struct Graph;
struct GraphExec;
struct Module;
struct Kernel;
struct Program;
struct BlasHandle;
struct BlasDescriptor;
struct BlasLayout;

enum Status : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotReady = 600,
  kIllegalAddress = 700,
  kMisalignedAddress = 716,
  kLaunchFailed = 719,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
  kCaptureIsolation = 905,
  kCapturedEvent = 907,
  kGraphUpdateFailure = 910,
};

struct LaunchConfig {
  unsigned grid[3], block[3], shared_bytes;
  Stream* stream;
  const void* attributes;
  unsigned attribute_count;
};

extern "C" {
void cudasimSetSeed(uint64_t seed);
void cudasimReadCounters(uint64_t* counters);
void cudasimInjectFault(const char* function, int status, int after);
void cudasimClearFaults();

int cuInit(unsigned flags);
int cuDeviceGetCount(int* count);
int cuDeviceGetAttribute(int* value, int attribute, int device);
int cuDevicePrimaryCtxRetain(Context** context, int device);
int cuDevicePrimaryCtxRelease_v2(int device);
int cuDevicePrimaryCtxReset_v2(int device);
int cuCtxSetCurrent(Context* context);
int cuCtxSynchronize();
int cuGetErrorName(int status, const char** text);
int cuGetErrorString(int status, const char** text);

int cuMemGetInfo_v2(size_t* free, size_t* total);
int cuMemAlloc_v2(uintptr_t* address, size_t bytes);
int cuMemFree_v2(uintptr_t address);
int cuMemAllocAsync(uintptr_t* address, size_t bytes, Stream* stream);
int cuMemFreeAsync(uintptr_t address, Stream* stream);
int cuMemcpyHtoD_v2(uintptr_t target, const void* source, size_t bytes);
int cuMemcpyDtoH_v2(void* target, uintptr_t source, size_t bytes);
int cuMemcpyDtoD_v2(uintptr_t target, uintptr_t source, size_t bytes);
int cuMemcpyAsync(uintptr_t target, uintptr_t source, size_t bytes, Stream* stream);
int cuMemcpyDtoHAsync_v2(void* target, uintptr_t source, size_t bytes, Stream* stream);
int cuMemcpyHtoDAsync_v2(uintptr_t target, const void* source, size_t bytes, Stream* stream);
int cuMemsetD8_v2(uintptr_t target, unsigned char value, size_t bytes);
int cuMemsetD8Async(uintptr_t target, unsigned char value, size_t bytes, Stream* stream);
int cuMemsetD32_v2(uintptr_t target, unsigned value, size_t count);
int cuMemsetD32Async(uintptr_t target, unsigned value, size_t count, Stream* stream);

int cuStreamCreate(Stream** stream, unsigned flags);
int cuStreamDestroy_v2(Stream* stream);
int cuStreamSynchronize(Stream* stream);
int cuStreamQuery(Stream* stream);
int cuStreamWaitEvent(Stream* stream, Event* event, unsigned flags);
int cuStreamBeginCapture_v2(Stream* stream, int mode);
int cuStreamEndCapture(Stream* stream, Graph** graph);
int cuStreamIsCapturing(Stream* stream, int* status);
int cuEventCreate(Event** event, unsigned flags);
int cuEventDestroy_v2(Event* event);
int cuEventRecord(Event* event, Stream* stream);
int cuEventQuery(Event* event);
int cuEventSynchronize(Event* event);
int cuEventElapsedTime(float* milliseconds, Event* start, Event* end);
int cuLaunchHostFunc(Stream* stream, void (*function)(void*), void* data);

int cuGraphInstantiateWithFlags(GraphExec** exec, Graph* graph, unsigned long long flags);
int cuGraphExecUpdate_v2(GraphExec* exec, Graph* graph, void* result);
int cuGraphLaunch(GraphExec* exec, Stream* stream);
int cuGraphDestroy(Graph* graph);
int cuGraphExecDestroy(GraphExec* exec);

int cuModuleLoadData(Module** module, const void* image);
int cuModuleUnload(Module* module);
int cuModuleGetFunction(Kernel** kernel, Module* module, const char* name);
int cuFuncSetAttribute(Kernel* kernel, int attribute, int value);
int cuFuncGetParamInfo(Kernel* kernel, size_t index, size_t* offset, size_t* size);
int cuLaunchKernelEx(const LaunchConfig* config, Kernel* kernel, void** parameters, void** extra);

int nvrtcCreateProgram(Program** program, const char* source, const char* name, int count, const char* const* headers,
                       const char* const* names);
int nvrtcDestroyProgram(Program** program);
int nvrtcAddNameExpression(Program* program, const char* expression);
int nvrtcCompileProgram(Program* program, int count, const char* const* options);
int nvrtcGetProgramLogSize(Program* program, size_t* size);
int nvrtcGetProgramLog(Program* program, char* log);
int nvrtcGetCUBINSize(Program* program, size_t* size);
int nvrtcGetCUBIN(Program* program, char* image);
int nvrtcGetLoweredName(Program* program, const char* expression, const char** name);

int cublasLtCreate(BlasHandle** handle);
int cublasLtDestroy(BlasHandle* handle);
int cublasLtMatmulDescCreate(BlasDescriptor** descriptor, int compute, int scale);
int cublasLtMatmulDescDestroy(BlasDescriptor* descriptor);
int cublasLtMatmulDescSetAttribute(BlasDescriptor* descriptor, int attribute, const void* value, size_t bytes);
int cublasLtMatrixLayoutCreate(BlasLayout** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
int cublasLtMatrixLayoutDestroy(BlasLayout* layout);
int cublasLtMatrixLayoutSetAttribute(BlasLayout* layout, int attribute, const void* value, size_t bytes);
int cublasLtMatmul(BlasHandle* handle, BlasDescriptor* descriptor, const float* alpha, uintptr_t a, BlasLayout* a_layout, uintptr_t b,
                   BlasLayout* b_layout, const float* beta, uintptr_t c, BlasLayout* c_layout, uintptr_t d, BlasLayout* d_layout,
                   const void* algorithm, uintptr_t workspace, size_t workspace_bytes, Stream* stream);
}
