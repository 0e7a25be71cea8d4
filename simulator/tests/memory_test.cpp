// Memory of the device and of a block: what lies outside is caught, what nobody wrote is NaN.
#include <cmath>

#include "device.h"

namespace {

// Runs a kernel that must end with this status; its report.
std::string broken(Device& device, const std::string& body, int status, Device::Params params, unsigned threads = 32, unsigned shared = 0) {
  EXPECT_EQUAL(device.run(device.kernel(body), 1, threads, shared, params), status);
  return Device::report(status);
}

}  // namespace

TEST(a_row_too_far_is_reported_with_place_and_distance) {
  Device device;
  const auto report = broken(device, "p.y[p.n * 256 + threadIdx.x] = 1;", kIllegalAddress, {device.allocate<int>(4 * 256), 0, 4});
  EXPECT_CONTAINS(report, "weft::test<0>, block (0, 0, 0), thread ");
  EXPECT_CONTAINS(report, "writes");
  EXPECT_CONTAINS(report, "past the end of an allocation of 4096 bytes");
  EXPECT_CONTAINS(report, "test.cu:5");
}

TEST(a_read_past_the_end_is_reported) {
  Device device;
  const auto y = device.allocate<int>(32);
  EXPECT_CONTAINS(broken(device, "p.y[threadIdx.x] = p.x[threadIdx.x + 1];", kIllegalAddress, {y, device.allocate<int>(32)}),
                  "reads 0 bytes past the end of an allocation of 128 bytes");
}

TEST(a_row_before_the_start_is_reported) {
  Device device;
  EXPECT_CONTAINS(broken(device, "p.y[static_cast<int>(threadIdx.x) - 32] = 1;", kIllegalAddress, {device.allocate<int>(1024)}),
                  "bytes before an allocation of 4096 bytes");
}

TEST(a_small_step_before_the_start_is_found_when_the_memory_is_freed) {
  Device device;
  const auto y = device.allocate<int>(32);
  OK(device.run(device.kernel("p.y[-1] = 1;"), 1, 1, 0, {y}));
  EXPECT_EQUAL(cuMemFree_v2(y), static_cast<int>(kIllegalAddress));
  EXPECT_CONTAINS(Device::report(kIllegalAddress), "just before the start of an allocation of 128 bytes");
}

TEST(a_small_step_past_the_end_is_found_when_the_memory_is_freed) {
  Device device;
  const auto y = device.allocate<int>(31);
  OK(device.run(device.kernel("p.y[31] = 1;"), 1, 1, 0, {y}));
  EXPECT_EQUAL(cuMemFree_v2(y), static_cast<int>(kIllegalAddress));
  EXPECT_CONTAINS(Device::report(kIllegalAddress), "just past the end of an allocation of 124 bytes");
}

TEST(freed_memory_is_reported) {
  Device device;
  const auto y = device.allocate<int>(32);
  OK(cuMemFree_v2(y));
  EXPECT_CONTAINS(broken(device, "p.y[threadIdx.x] = 1;", kIllegalAddress, {y}), "a freed allocation of 128 bytes");
}

TEST(a_null_address_is_reported) {
  Device device;
  EXPECT_CONTAINS(broken(device, "p.y[threadIdx.x] = 1;", kIllegalAddress, {}), "an address that is not on the device");
}

TEST(shared_memory_ends_where_the_launch_says) {
  Device device;
  broken(device, "ptx::dynamic_shared()[512 + threadIdx.x * 16] = 1;", kIllegalAddress, {}, 32, 512);
}

TEST(an_unaligned_wide_access_is_reported) {
  Device device;
  EXPECT_CONTAINS(broken(device, "p.y[0] = ptx::load_streaming(p.x + 1).x;", kMisalignedAddress,
                         {device.allocate<int>(1), device.allocate<int>(64)}, 1),
                  "not a multiple of the access's size");
}

TEST(a_broken_context_stays_broken_until_it_is_given_back) {
  {
    Device device;
    broken(device, "p.y[threadIdx.x] = 1;", kIllegalAddress, {});
    uintptr_t address = 0;
    EXPECT_EQUAL(cuMemAlloc_v2(&address, 16), static_cast<int>(kIllegalAddress));
  }
  Device device;
  OK(cuMemFree_v2(device.allocate<int>(4)));
}

TEST(resetting_the_device_makes_a_broken_context_whole) {
  Device device;
  broken(device, "p.y[threadIdx.x] = 1;", kIllegalAddress, {});
  OK(cuDevicePrimaryCtxReset_v2(0));
  OK(cuMemFree_v2(device.allocate<int>(4)));
}

TEST(what_nobody_wrote_is_not_a_number) {
  Device device;
  const auto y = device.allocate<float>(64);
  OK(device.run(device.kernel("float* y = reinterpret_cast<float*>(p.y);\ny[threadIdx.x] += 1;\n"
                              "y[threadIdx.x + 32] = reinterpret_cast<float*>(ptx::dynamic_shared())[threadIdx.x] + 1;"),
                1, 32, 128, {y}));
  for (const float value : device.download<float>(y, 64)) EXPECT(std::isnan(value));
}

TEST(each_block_finds_fresh_shared_memory) {
  Device device;
  const auto y = device.allocate<int>(64);
  OK(device.run(device.kernel("int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());\np.y[blockIdx.x] = *shared;\n*shared = 5;"), 64,
                1, 4, {y}));
  for (const int value : device.download<int>(y, 64)) EXPECT_EQUAL(value, -1);
}

TEST(memory_runs_out_and_comes_back) {
  Device device;
  size_t free = 0, total = 0, after = 0;
  OK(cuMemGetInfo_v2(&free, &total));
  uintptr_t address = 0;
  EXPECT_EQUAL(cuMemAlloc_v2(&address, free + 1), static_cast<int>(kOutOfMemory));
  OK(cuMemFree_v2(device.allocate<char>(1 << 20)));
  OK(cuMemGetInfo_v2(&after, &total));
  EXPECT_EQUAL(after, free);
}

TEST(memory_is_freed_once) {
  Device device;
  const auto y = device.allocate<int>(4);
  EXPECT_EQUAL(cuMemFree_v2(y + 4), static_cast<int>(kInvalidValue));
  OK(cuMemFree_v2(y));
  EXPECT_EQUAL(cuMemFree_v2(y), static_cast<int>(kInvalidValue));
}

TEST(copies_stay_inside_one_allocation) {
  Device device;
  const auto y = device.allocate<int>(4);
  const int values[8] = {};
  EXPECT_EQUAL(cuMemcpyHtoD_v2(y, values, sizeof values), static_cast<int>(kInvalidValue));
  EXPECT_EQUAL(cuMemcpyHtoDAsync_v2(y, values, sizeof values, device.stream), static_cast<int>(kInvalidValue));
  EXPECT_EQUAL(cuMemsetD8_v2(y, 0, 17), static_cast<int>(kInvalidValue));
}

TEST(fills_and_copies_on_the_device) {
  Device device;
  const auto x = device.allocate<int>(8), y = device.allocate<int>(8);
  OK(cuMemsetD32_v2(x, 0x01020304, 8));
  OK(cuMemsetD8_v2(x, 9, 4));
  OK(cuMemcpyDtoD_v2(y, x, 32));
  EXPECT_EQUAL(device.download<int>(y, 8)[0], 0x09090909);
  EXPECT_EQUAL(device.download<int>(y, 8)[7], 0x01020304);
}

TEST(a_launch_outside_the_limits_is_refused) {
  Device device;
  auto* kernel = device.kernel("p.y[0] = 1;");
  const Device::Params params = {device.allocate<int>(1), 0, 0};
  EXPECT_EQUAL(device.launch(kernel, 1, 1025, 0, params), static_cast<int>(kInvalidValue));
  EXPECT_EQUAL(device.launch(kernel, 0, 32, 0, params), static_cast<int>(kInvalidValue));
  EXPECT_EQUAL(device.launch(kernel, 1, 32, 48 * 1024 + 1, params), static_cast<int>(kInvalidValue));
  EXPECT_EQUAL(cuFuncSetAttribute(kernel, 8, 1 << 20), static_cast<int>(kInvalidValue));
  OK(cuFuncSetAttribute(kernel, 8, 64 * 1024));
  OK(device.run(kernel, 1, 32, 64 * 1024, params));
}
