// Fragments of tensor-core instructions against plain products, and asynchronous copies that are there only after waiting.
#include <cmath>

#include "device.h"

namespace {

// d = a · b from fragments laid out as the PTX ISA says, or with the middle two registers of a swapped.
std::vector<float> product(const char* type, bool swapped) {
  Device device;
  const auto y = device.allocate<float>(128);
  auto* kernel =
      device.load(std::string("#include \"common/types.cuh\"\nnamespace weft {\nstruct Params { float* y; };\n"
                              "inline float value_a(int row, int k) { return row * 0.125f + k; }\n"
                              "inline float value_b(int k, int n) { return (k % 3) - n * 0.5f; }\n"
                              "template <typename T, bool Swapped> __global__ void test(Params p) {\n"
                              "  const int group = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;\n"
                              "  unsigned a[4];\n"
                              "  for (int i = 0; i < 4; ++i) {\n"
                              "    const int row = group + (Swapped ? i / 2 : i % 2) * 8, k = pair + (Swapped ? i % 2 : i / 2) * 8;\n"
                              "    a[i] = pack2<T>(value_a(row, k), value_a(row, k + 1));\n"
                              "  }\n"
                              "  float d[4] = {1, 1, 1, 1};\n"
                              "  ptx::mma_m16n8k16<T>(d, a, pack2<T>(value_b(pair, group), value_b(pair + 1, group)),\n"
                              "                       pack2<T>(value_b(pair + 8, group), value_b(pair + 9, group)));\n"
                              "  for (int i = 0; i < 4; ++i) p.y[(group + i / 2 * 8) * 8 + pair + i % 2] = d[i];\n"
                              "}\n}\n"),
                  std::string("weft::test<weft::") + type + (swapped ? ", true>" : ", false>"));
  OK(device.run(kernel, 1, 32, 0, {y}));
  return device.download<float>(y, 128);
}

// The largest distance from the product in double.
double error(const std::vector<float>& actual) {
  double worst = 0;
  for (int row = 0; row < 16; ++row)
    for (int n = 0; n < 8; ++n) {
      double sum = 1;
      for (int k = 0; k < 16; ++k) sum += (row * 0.125 + k) * (k % 3 - n * 0.5);
      worst = std::max(worst, std::abs(actual[static_cast<size_t>(row * 8 + n)] - sum));
    }
  return worst;
}

std::vector<int> copied(const std::string& wait) {
  Device device;
  std::vector<int> values(256);
  for (int i = 0; i < 256; ++i) values[static_cast<size_t>(i)] = i;
  const auto y = device.allocate<int>(256);
  auto* kernel = device.kernel(
      "int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());\n"
      "ptx::cp_async_16(shared + threadIdx.x * 4, p.x + threadIdx.x * 4, true);\nptx::cp_async_commit();\n"
      "ptx::cp_async_16(shared + 128 + threadIdx.x * 4, p.x + 128 + threadIdx.x * 4, threadIdx.x < 16);\nptx::cp_async_commit();\n" +
      wait +
      "\nfor (int i = 0; i < 4; ++i) {\np.y[threadIdx.x * 4 + i] = shared[threadIdx.x * 4 + i];\n"
      "p.y[128 + threadIdx.x * 4 + i] = shared[128 + threadIdx.x * 4 + i];\n}");
  OK(device.run(kernel, 1, 32, 1024, {y, device.upload(values)}));
  return device.download<int>(y, 256);
}

// d [64, N] = 1 + a · b, a [64, 16] in registers and b [16, N] in shared memory as 8×8 matrices, [n / 8][k / 8] or the other way round.
struct Wgmma {
  std::string type = "f16";
  int columns = 64;
  bool transposed = false;
  bool swapped_steps = false;
  std::string fence = "ptx::async_proxy_fence();", finish = "ptx::wgmma_finish<N / 8, 1>(d, a);";
  int first = 0;  // element of shared memory where b is said to begin

  int run(Device& device, uintptr_t y) const {
    auto* kernel = device.load(
        "#include \"common/types.cuh\"\nnamespace weft {\nstruct Params { float* y; };\n"
        "template <typename T, int N, bool Transposed, bool Swapped> __global__ void test(Params p) {\n"
        "  unsigned short* shared = reinterpret_cast<unsigned short*>(ptx::dynamic_shared());\n"
        "  for (int i = threadIdx.x; i < 16 * N; i += 128) {\n"
        "    const int k = i / N, n = i % N, matrix = n / 8 * 2 + k / 8;\n"
        "    shared[matrix * 64 + (Transposed ? k % 8 * 8 + n % 8 : n % 8 * 8 + k % 8)] = pack2<T>((k % 3) - n * 0.25f, 0.0f);\n  }\n"
        "  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, pair = threadIdx.x % 4 * 2;\n"
        "  unsigned a[1][4];\n"
        "  for (int i = 0; i < 4; ++i) {\n    const int r = row + i % 2 * 8, k = pair + i / 2 * 8;\n"
        "    a[0][i] = pack2<T>(r * 0.125f + k, r * 0.125f + k + 1);\n  }\n"
        "  float d[N / 8][4];\n  for (auto& tile : d) for (float& sum : tile) sum = 1.0f;\n" +
            fence +
            "\n  __syncthreads();\n  ptx::wgmma_begin<N / 8, 1>(d, a);\n  ptx::wgmma_m64k16<T, N, Transposed>(d, a[0], "
            "ptx::shared_matrix(shared "
            "+ " +
            std::to_string(first) + ", Swapped ? 256 : 128, Swapped ? 128 : 256));\n  " + finish +
            "\n  for (int n = 0; n < N / 8; ++n) for (int i = 0; i < 4; ++i)\n"
            "    p.y[(row + i / 2 * 8) * N + n * 8 + pair + i % 2] = d[n][i];\n}\n}\n",
        "weft::test<weft::" + type + ", " + std::to_string(columns) + (transposed ? ", true" : ", false") +
            (swapped_steps ? ", true>" : ", false>"));
    return device.run(kernel, 1, 128, 2 * 16 * static_cast<unsigned>(columns), {y});
  }

  // The largest distance from the product in double.
  double error() const {
    Device device;
    const auto y = device.allocate<float>(static_cast<size_t>(64 * columns));
    OK(run(device, y));
    const auto actual = device.download<float>(y, static_cast<size_t>(64 * columns));
    double worst = 0;
    for (int row = 0; row < 64; ++row)
      for (int n = 0; n < columns; ++n) {
        double sum = 1;
        for (int k = 0; k < 16; ++k) sum += (row * 0.125 + k) * (k % 3 - n * 0.25);
        const double distance = std::abs(actual[static_cast<size_t>(row * columns + n)] - sum);
        worst = distance <= worst ? worst : distance;
      }
    return worst;
  }
};

}  // namespace

TEST(mma_multiplies_the_fragments_of_the_manual) {
  EXPECT(error(product("f16", false)) < 1e-3);
  EXPECT(error(product("bf16", false)) < 1e-3);
}

TEST(a_wrong_fragment_gives_a_wrong_product) {
  EXPECT(error(product("f16", true)) > 1);
  EXPECT(error(product("bf16", true)) > 1);
}

TEST(ldmatrix_hands_out_rows_and_columns) {
  for (const bool transposed : {false, true}) {
    Device device;
    const auto y = device.allocate<int>(128);
    OK(device.run(
        device.kernel(
            std::string(
                "unsigned short* shared = reinterpret_cast<unsigned short*>(ptx::dynamic_shared());\n"
                "for (int i = threadIdx.x; i < 256; i += 32) shared[i] = i;\n__syncwarp();\nunsigned fragment[4];\nptx::ldmatrix_x4") +
            (transposed ? "_trans" : "") +
            "(fragment, shared + threadIdx.x * 8);\n"
            "for (int i = 0; i < 4; ++i) p.y[threadIdx.x * 4 + i] = fragment[i];"),
        1, 32, 512, {y}));
    const auto values = device.download<int>(y, 128);
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        const int a = lane / 4, b = lane % 4 * 2;
        const int low = i * 64 + (transposed ? b * 8 + a : a * 8 + b), high = low + (transposed ? 8 : 1);
        EXPECT_EQUAL(values[static_cast<size_t>(lane * 4 + i)], low | high << 16);
      }
  }
}

TEST(a_fragment_load_outside_shared_memory_is_reported) {
  Device device;
  auto* kernel =
      device.kernel("unsigned fragment[4];\nptx::ldmatrix_x4(fragment, ptx::dynamic_shared() + threadIdx.x * 32);\np.y[0] = fragment[0];");
  EXPECT_EQUAL(device.run(kernel, 1, 32, 512, {device.allocate<int>(1)}), static_cast<int>(kIllegalAddress));
  EXPECT_CONTAINS(Device::report(kIllegalAddress), "shared memory");
}

TEST(an_mma_that_half_the_warp_misses_is_a_deadlock) {
  Device device;
  auto* kernel = device.kernel(
      "float d[4] = {};\nconst unsigned a[4] = {};\nif (threadIdx.x < 16) ptx::mma_m16n8k16<f16>(d, a, 0, 0);\np.y[0] = d[0];");
  EXPECT_EQUAL(device.run(kernel, 1, 32, 0, {device.allocate<int>(1)}), static_cast<int>(kLaunchFailed));
}

TEST(an_asynchronous_copy_is_there_after_its_wait_and_not_before) {
  const auto none = copied(""), first = copied("ptx::cp_async_wait<1>();"), all = copied("ptx::cp_async_wait<0>();");
  for (int i = 0; i < 256; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_EQUAL(none[at], -1);
    EXPECT_EQUAL(first[at], i < 128 ? i : -1);
    // The second half of the second group is not valid: zeros.
    EXPECT_EQUAL(all[at], i < 192 ? i : 0);
  }
}

TEST(an_unaligned_asynchronous_copy_is_reported) {
  Device device;
  auto* kernel = device.kernel("ptx::cp_async_16(ptx::dynamic_shared(), p.x + 1, true);");
  EXPECT_EQUAL(device.run(kernel, 1, 1, 16, {0, device.allocate<int>(8)}), static_cast<int>(kMisalignedAddress));
}

TEST(wgmma_multiplies_matrices_of_shared_memory) {
  for (const char* type : {"f16", "bf16"})
    for (const int columns : {16, 32, 64})
      for (const bool transposed : {false, true}) EXPECT(Wgmma({type, columns, transposed}).error() < 1e-2);
}

TEST(wgmma_with_swapped_steps_gives_a_wrong_product) {
  EXPECT(Wgmma({"f16", 64, false, true}).error() > 1);
  EXPECT(Wgmma({"f16", 64, true, true}).error() > 1);
}

TEST(sums_of_a_wgmma_are_poison_until_it_is_finished) {
  Wgmma test;
  test.finish = "";
  EXPECT(std::isnan(test.error()));
}

TEST(a_wgmma_of_copies_that_no_fence_has_shown_is_reported) {
  Device device;
  Wgmma test;
  test.fence = "ptx::cp_async_16(shared, p.y, true);\nptx::cp_async_commit();\nptx::cp_async_wait<0>();";
  EXPECT_EQUAL(test.run(device, device.allocate<float>(4096)), static_cast<int>(kLaunchFailed));
  EXPECT_CONTAINS(Device::report(kLaunchFailed), "proxy");
}

TEST(a_wgmma_outside_shared_memory_is_reported) {
  Device device;
  Wgmma test;
  test.first = 8;
  EXPECT_EQUAL(test.run(device, device.allocate<float>(4096)), static_cast<int>(kIllegalAddress));
}
