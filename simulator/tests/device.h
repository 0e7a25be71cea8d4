// A context with one stream, memory of it, and kernels compiled from text: what every test starts from. All is given back at the end, so
// that a test that breaks its context leaves the next one a whole one.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>

#include "check.h"
#include "cuda.h"

#define OK(call) EXPECT_EQUAL(call, 0)

struct Compiled {
  int status = 0;
  std::string log, image;
  std::vector<std::string> lowered;
};

// Compiles with all of kernels/common at hand, as the runtime does.
inline Compiled compile(const std::string& source, const std::vector<std::string>& expressions, bool counts = false) {
  namespace fs = std::filesystem;
  static const auto headers = [] {
    std::map<std::string, std::string> all;
    for (const auto& file : fs::directory_iterator(fs::path(WEFT_KERNELS) / "common")) {
      std::ifstream stream(file.path(), std::ios::binary);
      all["common/" + file.path().filename().string()] = {std::istreambuf_iterator<char>(stream), {}};
    }
    return all;
  }();
  std::vector<const char*> names, texts;
  for (const auto& [name, text] : headers) {
    names.push_back(name.c_str());
    texts.push_back(text.c_str());
  }

  Program* program = nullptr;
  OK(nvrtcCreateProgram(&program, source.c_str(), "test.cu", static_cast<int>(names.size()), texts.data(), names.data()));
  for (const auto& expression : expressions) OK(nvrtcAddNameExpression(program, expression.c_str()));
  const char* options[] = {"--gpu-architecture=sm_90a", "--software-device-counters"};
  Compiled result;
  result.status = nvrtcCompileProgram(program, counts ? 2 : 1, options);
  size_t bytes = 0;
  OK(nvrtcGetProgramLogSize(program, &bytes));
  result.log.resize(bytes);
  OK(nvrtcGetProgramLog(program, result.log.data()));
  if (result.status == 0) {
    OK(nvrtcGetCUBINSize(program, &bytes));
    result.image.resize(bytes);
    OK(nvrtcGetCUBIN(program, result.image.data()));
    for (const auto& expression : expressions) {
      const char* name = nullptr;
      OK(nvrtcGetLoweredName(program, expression.c_str(), &name));
      result.lowered.emplace_back(name);
    }
  }
  OK(nvrtcDestroyProgram(&program));
  return result;
}

class Device {
 public:
  Stream* stream = nullptr;

  explicit Device(uint64_t seed = 1) {
    cudasimClearFaults();
    cudasimSetSeed(seed);
    OK(cuInit(0));
    Context* context = nullptr;
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    OK(cuCtxSetCurrent(context));
    OK(cuStreamCreate(&stream, 1));
  }

  ~Device() {
    cudasimClearFaults();
    cuDevicePrimaryCtxRelease_v2(0);
  }

  template <typename T>
  uintptr_t allocate(size_t count) {
    uintptr_t address = 0;
    OK(cuMemAlloc_v2(&address, count * sizeof(T)));
    return address;
  }

  template <typename T>
  uintptr_t upload(const std::vector<T>& values) {
    const auto address = allocate<T>(values.size());
    OK(cuMemcpyHtoD_v2(address, values.data(), values.size() * sizeof(T)));
    return address;
  }

  template <typename T>
  std::vector<T> download(uintptr_t address, size_t count) {
    std::vector<T> values(count);
    OK(cuMemcpyDtoH_v2(values.data(), address, count * sizeof(T)));
    return values;
  }

  // The body of a kernel with parameters `int* y; const int* x; int n`, in namespace weft.
  Kernel* kernel(const std::string& body, bool counts = false) {
    return load(
        "#include \"common/types.cuh\"\nnamespace weft {\nstruct Params { int* y; const int* x; int n; };\n"
        "template <int> __global__ void test(Params p) {\n" +
            body + "\n}\n}\n",
        "weft::test<0>", counts);
  }

  Kernel* load(const std::string& source, const std::string& expression, bool counts = false) {
    const auto compiled = compile(source, {expression}, counts);
    if (compiled.status != 0) throw std::runtime_error(compiled.log);
    Module* module = nullptr;
    OK(cuModuleLoadData(&module, compiled.image.data()));
    Kernel* kernel = nullptr;
    OK(cuModuleGetFunction(&kernel, module, compiled.lowered[0].c_str()));
    return kernel;
  }

  struct Params {
    uintptr_t y = 0, x = 0;
    int n = 0;
  };

  int launch(Kernel* kernel, unsigned blocks, unsigned threads, unsigned shared, Params params) {
    const LaunchConfig config = {{blocks, 1, 1}, {threads, 1, 1}, shared, stream, nullptr, 0};
    void* pointers[] = {&params};
    return cuLaunchKernelEx(&config, kernel, pointers, nullptr);
  }

  int run(Kernel* kernel, unsigned blocks, unsigned threads, unsigned shared, Params params) {
    const int status = launch(kernel, blocks, threads, shared, params);
    return status != 0 ? status : cuStreamSynchronize(stream);
  }

  static std::string report(int status) {
    const char* text = nullptr;
    cuGetErrorString(status, &text);
    return text;
  }
};
