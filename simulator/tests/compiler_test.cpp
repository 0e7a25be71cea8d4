// The simulated NVRTC, and faults on demand.
#include <chrono>

#include "device.h"

TEST(an_error_names_the_kernels_file_and_line) {
  const auto compiled = compile(
      "#include \"common/types.cuh\"\nnamespace weft {\nstruct P { int* y; };\ntemplate <int> __global__ void k(P p) { p.z = 1; }\n}\n",
      {"weft::k<0>"});
  EXPECT_EQUAL(compiled.status, 6);
  EXPECT_CONTAINS(compiled.log, "test.cu:4");
  EXPECT_CONTAINS(compiled.log, "has no member named");
}

TEST(an_instance_that_does_not_exist_is_an_error) {
  const auto compiled = compile("struct P { int* y; };\ntemplate <int> __global__ void k(P p) { *p.y = 1; }\n", {"k<int>"});
  EXPECT_EQUAL(compiled.status, 6);
  EXPECT_CONTAINS(compiled.log, "name expressions");
}

TEST(each_instance_has_its_name_and_the_size_of_its_parameters) {
  const auto compiled =
      compile("struct P { int* y; int n[5]; };\ntemplate <int N> __global__ void k(P p) { *p.y = N; }\n", {"k<3>", "k<4>"});
  OK(compiled.status);
  EXPECT(compiled.lowered[0] != compiled.lowered[1]);
  Device device;
  const auto y = device.allocate<int>(1);
  Module* module = nullptr;
  Kernel* kernel = nullptr;
  OK(cuModuleLoadData(&module, compiled.image.data()));
  OK(cuModuleGetFunction(&kernel, module, compiled.lowered[1].c_str()));
  size_t offset = 1, size = 0;
  OK(cuFuncGetParamInfo(kernel, 0, &offset, &size));
  EXPECT_EQUAL(offset, 0u);
  EXPECT_EQUAL(size, 32u);
  struct {
    uintptr_t y;
    int n[5];
  } params = {y, {}};
  void* pointers[] = {&params};
  const LaunchConfig config = {{1, 1, 1}, {1, 1, 1}, 0, device.stream, nullptr, 0};
  OK(cuLaunchKernelEx(&config, kernel, pointers, nullptr));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 4);
  EXPECT_EQUAL(cuModuleGetFunction(&kernel, module, "no_such_kernel"), 500);
  OK(cuModuleUnload(module));
}

TEST(names_are_asked_for_before_and_told_after_compiling) {
  Program* program = nullptr;
  const char* name = nullptr;
  OK(nvrtcCreateProgram(&program, "struct P { int* y; };\ntemplate <int> __global__ void k(P) {}\n", nullptr, 0, nullptr, nullptr));
  OK(nvrtcAddNameExpression(program, "k<0>"));
  EXPECT_EQUAL(nvrtcGetLoweredName(program, "k<0>", &name), 9);
  OK(nvrtcCompileProgram(program, 0, nullptr));
  EXPECT_EQUAL(nvrtcAddNameExpression(program, "k<1>"), 8);
  EXPECT_EQUAL(nvrtcGetLoweredName(program, "k<1>", &name), 10);
  OK(nvrtcDestroyProgram(&program));
}

TEST(what_is_no_library_is_no_module) {
  Device device;
  Module* module = nullptr;
  const std::string text(4096, 'x');
  EXPECT_EQUAL(cuModuleLoadData(&module, text.data()), 200);
}

TEST(a_graph_outlives_the_module_it_recorded) {
  Device device;
  const auto compiled = compile("struct P { int* y; };\ntemplate <int N> __global__ void k(P p) { *p.y = N; }\n", {"k<3>"});
  OK(compiled.status);
  Module* module = nullptr;
  Kernel* kernel = nullptr;
  OK(cuModuleLoadData(&module, compiled.image.data()));
  OK(cuModuleGetFunction(&kernel, module, compiled.lowered[0].c_str()));
  const auto y = device.allocate<int>(1);
  OK(cuStreamBeginCapture_v2(device.stream, 0));
  OK(device.launch(kernel, 1, 1, 0, {y}));
  Graph* graph = nullptr;
  GraphExec* exec = nullptr;
  OK(cuStreamEndCapture(device.stream, &graph));
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuModuleUnload(module));
  OK(cuGraphLaunch(exec, device.stream));
  OK(cuStreamSynchronize(device.stream));
  EXPECT_EQUAL(device.download<int>(y, 1)[0], 3);
}

TEST(a_fault_strikes_the_call_that_it_was_meant_for) {
  Device device;
  uintptr_t address = 0;
  cudasimInjectFault("cuMemAlloc_v2", 2, 2);
  OK(cuMemAlloc_v2(&address, 16));
  OK(cuMemAlloc_v2(&address, 16));
  EXPECT_EQUAL(cuMemAlloc_v2(&address, 16), 2);
  OK(cuMemAlloc_v2(&address, 16));
  cudasimInjectFault("cuMemAlloc_v2", 2, 0);
  cudasimClearFaults();
  OK(cuMemAlloc_v2(&address, 16));
}
