// What counters say of accesses whose traffic is known.
#include <cstring>

#include "device.h"

namespace {

// In the order of Counters in simulator/src/counters.h.
struct Counts {
  uint64_t global_bytes, global_sectors, shared_passes, bank_conflicts, barriers, warp_steps, lane_steps, tensor_operations,
      float_operations;
};

Counts count(const std::string& body, unsigned blocks = 1, unsigned threads = 32, uint64_t seed = 1) {
  Device device(seed);
  auto* kernel = device.kernel(body, true);
  const auto y = device.allocate<int>(4096), x = device.upload(std::vector<int>(4096, 1));
  Counts counts;
  cudasimReadCounters(reinterpret_cast<uint64_t*>(&counts));
  OK(device.run(kernel, blocks, threads, 16384, {y, x, 100}));
  cudasimReadCounters(reinterpret_cast<uint64_t*>(&counts));
  return counts;
}

}  // namespace

TEST(neighbouring_words_share_sectors) {
  const auto counts = count("p.y[threadIdx.x] = p.x[threadIdx.x];");
  EXPECT_EQUAL(counts.global_bytes, 256u);
  EXPECT_EQUAL(counts.global_sectors, 8u);
}

TEST(words_far_apart_take_a_sector_each) {
  const auto counts = count("p.y[threadIdx.x] = p.x[threadIdx.x * 8];");
  EXPECT_EQUAL(counts.global_bytes, 256u);
  EXPECT_EQUAL(counts.global_sectors, 32u + 4u);
}

TEST(one_word_for_all_lanes_is_one_sector) { EXPECT_EQUAL(count("if (p.x[5] == 2) p.y[0] = 1;").global_sectors, 1u); }

TEST(a_vector_is_one_access) {
  const auto counts = count("const uint4 v = reinterpret_cast<const uint4*>(p.x)[threadIdx.x];\nif (v.x + v.w == 7) p.y[0] = v.y;");
  EXPECT_EQUAL(counts.global_bytes, 512u);
  EXPECT_EQUAL(counts.global_sectors, 16u);
}

TEST(atomics_count) {
  const auto counts = count("atomicAdd(p.y + threadIdx.x, 1);");
  EXPECT_EQUAL(counts.global_bytes, 128u);
  EXPECT_EQUAL(counts.global_sectors, 4u);
}

TEST(asynchronous_copies_count_on_both_sides) {
  const auto counts = count(
      "ptx::cp_async_16(ptx::dynamic_shared() + threadIdx.x * 16, p.x + threadIdx.x * 4, threadIdx.x < 16);\n"
      "ptx::cp_async_commit();\nptx::cp_async_wait<0>();");
  EXPECT_EQUAL(counts.global_bytes, 256u);
  EXPECT_EQUAL(counts.global_sectors, 8u);
  EXPECT_EQUAL(counts.shared_passes, 4u);
  EXPECT_EQUAL(counts.bank_conflicts, 0u);
}

TEST(lanes_in_one_bank_conflict) {
  const std::string shared = "volatile int* s = reinterpret_cast<int*>(ptx::dynamic_shared());\n";
  EXPECT_EQUAL(count(shared + "s[threadIdx.x] = 1;").bank_conflicts, 0u);
  EXPECT_EQUAL(count(shared + "s[threadIdx.x * 2] = 1;").bank_conflicts, 1u);
  EXPECT_EQUAL(count(shared + "s[threadIdx.x * 32] = 1;").bank_conflicts, 31u);
  EXPECT_EQUAL(count(shared + "s[threadIdx.x * 33] = 1;").bank_conflicts, 0u);
  EXPECT_EQUAL(count(shared + "if (s[3] == 7) p.y[0] = 1;").bank_conflicts, 0u);
}

TEST(rows_of_fragments_conflict_without_padding) {
  const std::string load = "unsigned f[4];\nptx::ldmatrix_x4(f, ptx::dynamic_shared() + threadIdx.x * ";
  EXPECT_EQUAL(count(load + "128);\np.y[threadIdx.x] = f[0];").bank_conflicts, 4u * 7u);
  EXPECT_EQUAL(count(load + "144);\np.y[threadIdx.x] = f[0];").bank_conflicts, 0u);
}

TEST(barriers_count_by_block) { EXPECT_EQUAL(count("__syncthreads();\np.y[threadIdx.x] = 1;\n__syncthreads();", 3, 64).barriers, 6u); }

TEST(lanes_that_stand_by_show) {
  const std::string work = "for (int i = 0; i < limit; ++i) p.y[threadIdx.x] += i;";
  const auto together = count("const int limit = p.n;\n" + work);
  const auto apart = count("const int limit = threadIdx.x == 0 ? p.n : 0;\n" + work);
  EXPECT_EQUAL(together.lane_steps, 32 * together.warp_steps);
  EXPECT(apart.lane_steps < 4 * apart.warp_steps);
}

TEST(operations_count) {
  const auto products = count("float d[4] = {};\nconst unsigned a[4] = {};\nptx::mma_m16n8k16<f16>(d, a, 0, 0);\np.y[0] = d[0];", 5, 64);
  EXPECT_EQUAL(products.tensor_operations, 5u * 2u * 4096u);
  const auto plain = count("float s = p.n;\nfor (int i = 0; i < p.n; ++i) s = s * 1.5f + p.x[i];\np.y[threadIdx.x] = s;", 2);
  EXPECT_EQUAL(plain.float_operations, 2u * 32u * 100u * 2u);
}

TEST(no_figure_depends_on_the_order_of_lanes) {
  const std::string body =
      "int* s = reinterpret_cast<int*>(ptx::dynamic_shared());\nfor (int i = threadIdx.x; i < 300; i += 5) s[i * 7 % 1000] = p.x[i * 3];\n"
      "__syncthreads();\nif (threadIdx.x % 3 == 0) p.y[threadIdx.x] = s[threadIdx.x];\n";
  const auto first = count(body, 7, 96, 1), second = count(body, 7, 96, 99);
  EXPECT(memcmp(&first, &second, sizeof first) == 0);
}

TEST(a_kernel_without_counters_counts_nothing) {
  Device device;
  Counts counts;
  cudasimReadCounters(reinterpret_cast<uint64_t*>(&counts));
  OK(device.run(device.kernel("p.y[threadIdx.x] = p.x[threadIdx.x];"), 1, 32, 0,
                {device.allocate<int>(32), device.upload(std::vector<int>(32, 1))}));
  cudasimReadCounters(reinterpret_cast<uint64_t*>(&counts));
  EXPECT_EQUAL(counts.global_bytes, 0u);
}
