// Threads of a block: barriers, shuffles, votes, the orders they run in, and what is reported when they cannot go on.
#include "device.h"

namespace {

constexpr int kThreads = 128;

std::vector<int> reversed(const char* barrier, const char* partner, uint64_t seed) {
  Device device(seed);
  const auto y = device.allocate<int>(kThreads);
  auto* kernel = device.kernel(std::string("int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());\n"
                                           "shared[threadIdx.x] = threadIdx.x;\n") +
                               barrier + "\np.y[threadIdx.x] = shared[" + partner + "];");
  OK(device.run(kernel, 1, kThreads, kThreads * sizeof(int), {y}));
  return device.download<int>(y, kThreads);
}

bool is_exchange(const std::vector<int>& values, int bits) {
  for (int i = 0; i < kThreads; ++i)
    if (values[static_cast<size_t>(i)] != (i ^ bits)) return false;
  return true;
}

}  // namespace

TEST(a_barrier_shows_what_other_warps_wrote) {
  for (uint64_t seed = 1; seed <= 3; ++seed) EXPECT(is_exchange(reversed("__syncthreads();", "threadIdx.x ^ 127", seed), 127));
}

TEST(without_the_barrier_the_result_is_wrong_under_every_seed) {
  for (uint64_t seed = 1; seed <= 3; ++seed) EXPECT(!is_exchange(reversed("", "threadIdx.x ^ 127", seed), 127));
}

TEST(without_the_warp_barrier_the_result_is_wrong_under_every_seed) {
  EXPECT(is_exchange(reversed("__syncwarp();", "threadIdx.x ^ 1", 1), 1));
  for (uint64_t seed = 1; seed <= 3; ++seed) EXPECT(!is_exchange(reversed("", "threadIdx.x ^ 1", seed), 1));
}

TEST(lanes_do_not_run_in_one_direction_only) {
  // Each lane adds to what its left neighbour left behind: right only if lanes ran from left to right.
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Device device(seed);
    const auto y = device.allocate<int>(32);
    auto* kernel = device.kernel(
        "int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());\n"
        "shared[threadIdx.x] = threadIdx.x == 0 ? 1 : shared[threadIdx.x - 1] + 1;\np.y[threadIdx.x] = shared[threadIdx.x];");
    OK(device.run(kernel, 1, 32, 128, {y}));
    const auto values = device.download<int>(y, 32);
    int right = 0;
    for (int i = 0; i < 32; ++i) right += values[static_cast<size_t>(i)] == i + 1;
    EXPECT(right < 24);
  }
}

TEST(shuffles_move_what_the_manual_says) {
  Device device;
  const auto y = device.allocate<int>(32 * 5);
  auto* kernel = device.kernel(
      "const int t = threadIdx.x;\n"
      "p.y[t] = __shfl_sync(kFullMask, t, 5);\n"
      "p.y[t + 32] = __shfl_xor_sync(kFullMask, t, 9);\n"
      "p.y[t + 64] = __shfl_up_sync(kFullMask, t, 3);\n"
      "p.y[t + 96] = __shfl_down_sync(kFullMask, t, 3);\n"
      "p.y[t + 128] = __shfl_down_sync(kFullMask, t, 2, 8);");
  OK(device.run(kernel, 1, 32, 0, {y}));
  const auto values = device.download<int>(y, 160);
  for (int t = 0; t < 32; ++t) {
    const auto at = static_cast<size_t>(t);
    EXPECT_EQUAL(values[at], 5);
    EXPECT_EQUAL(values[at + 32], t ^ 9);
    EXPECT_EQUAL(values[at + 64], t < 3 ? t : t - 3);
    EXPECT_EQUAL(values[at + 96], t > 28 ? t : t + 3);
    EXPECT_EQUAL(values[at + 128], t % 8 > 5 ? t : t + 2);
  }
}

TEST(votes_count_the_lanes_of_the_mask) {
  Device device;
  const auto y = device.allocate<int>(4);
  auto* kernel = device.kernel(
      "const int t = threadIdx.x;\n"
      "const int all = __all_sync(kFullMask, t < 32), some = __any_sync(kFullMask, t == 31);\n"
      "const int none = __any_sync(kFullMask, t == 32);\n"
      "if (t % 2 == 1) { const unsigned odd = __ballot_sync(0xaaaaaaaau, t < 16); if (t == 1) p.y[0] = odd; }\n"
      "if (t == 0) { p.y[1] = all; p.y[2] = some; p.y[3] = none; }");
  OK(device.run(kernel, 1, 32, 0, {y}));
  const auto values = device.download<int>(y, 4);
  EXPECT_EQUAL(values[0], 0xaaaa);
  EXPECT_EQUAL(values[1], 1);
  EXPECT_EQUAL(values[2], 1);
  EXPECT_EQUAL(values[3], 0);
}

TEST(atomics_of_all_blocks_add_up) {
  Device device;
  const auto y = device.upload<int>({0, -5, 1 << 30});
  auto* kernel = device.kernel(
      "const int i = blockIdx.x * blockDim.x + threadIdx.x;\natomicAdd(p.y, i);\natomicMax(p.y + 1, i);\natomicMin(p.y + 2, i);");
  OK(device.run(kernel, 50, 40, 0, {y}));
  const auto values = device.download<int>(y, 3);
  EXPECT_EQUAL(values[0], 1999 * 2000 / 2);
  EXPECT_EQUAL(values[1], 1999);
  EXPECT_EQUAL(values[2], 0);
}

TEST(a_barrier_does_not_count_threads_that_have_ended) {
  Device device;
  const auto y = device.upload<int>(std::vector<int>(64, 0));
  auto* kernel = device.kernel("if (threadIdx.x >= 32) return;\n__syncthreads();\np.y[threadIdx.x] = 7;");
  OK(device.run(kernel, 1, 64, 0, {y}));
  EXPECT_EQUAL(device.download<int>(y, 64)[31], 7);
}

TEST(a_deadlock_is_reported_with_file_and_lines) {
  Device device;
  auto* kernel = device.kernel(
      "if (threadIdx.x < 64) {\n  __syncthreads();\n} else {\n  p.y[0] = __shfl_sync(kFullMask, 1, 0);\n  __syncthreads();\n}");
  EXPECT_EQUAL(device.run(kernel, 1, kThreads, 0, {device.allocate<int>(1)}), static_cast<int>(kLaunchFailed));
  const auto report = Device::report(kLaunchFailed);
  EXPECT_CONTAINS(report, "weft::test<0>: deadlock in block (0, 0, 0)");
  EXPECT_CONTAINS(report, "line 6");
  EXPECT_CONTAINS(report, "line 9");
}

TEST(a_shuffle_that_half_the_warp_misses_is_a_deadlock) {
  Device device;
  auto* kernel = device.kernel("if (threadIdx.x < 16) p.y[0] = __shfl_sync(kFullMask, 1, 0);");
  EXPECT_EQUAL(device.run(kernel, 1, 32, 0, {device.allocate<int>(1)}), static_cast<int>(kLaunchFailed));
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "waits for its warp at line 5");
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "has ended");
}

TEST(a_lane_outside_its_own_mask_is_reported) {
  Device device;
  auto* kernel = device.kernel("__syncwarp(0xffffu);");
  EXPECT_EQUAL(device.run(kernel, 1, 32, 0, {}), static_cast<int>(kLaunchFailed));
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "mask leaves it out");
}

TEST(too_deep_a_stack_is_reported) {
  Device device;
  auto* kernel = device.load(
      "struct Params { int* y; };\n__attribute__((noinline)) int deep(volatile int* y, int n) {\n"
      "volatile int a[1024]; a[n % 1024] = n; return n == 0 ? y[0] : deep(y, n - 1) + a[n % 1024]; }\n"
      "template <int> __global__ void test(Params p) { *p.y = deep(p.y, 1000); }\n",
      "test<0>");
  EXPECT_EQUAL(device.run(kernel, 1, 1, 0, {device.upload<int>({0})}), static_cast<int>(kLaunchFailed));
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "stack");
}

TEST(a_division_of_integers_by_zero_is_reported) {
  Device device;
  auto* kernel = device.kernel("p.y[0] = 7 / p.n;");
  EXPECT_EQUAL(device.run(kernel, 1, 1, 0, {device.allocate<int>(1)}), static_cast<int>(kLaunchFailed));
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "divides an integer by zero at test.cu:5");
}
