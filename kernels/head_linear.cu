// y[n, h, m] = Σ_k x[n, h, k] · W[h, m, k]: a product of its own for every head, as latent attention has two of.
//   W [H, M, K] T      x [N, x_stride] T, head h at h·K      y [N, y_stride] T or float32, head h at h·M; K a multiple of 8
// A block owns one head, 64 rows of W (16 a warp) and 32 rows of x. A lane's 16 bytes of a row are its fragments of two products, as in
// gemv: the sum over k may run in any order as long as W and x agree. Each sum is of one lane and one order, so that a row's result does
// not depend on how many rows there are.
#include "common/types.cuh"
#include "common/vec.cuh"

namespace weft {

struct HeadLinearParams {
  const void* x;
  const void* weight;
  void* y;
  int rows;     // N
  int outputs;  // M
  int inner;    // K
  int x_stride;
  int y_stride;
};

constexpr int kHeadLinearThreads = 128;
constexpr int kHeadLinearRows = 32;  // of x in a block
constexpr int kHeadLinearFragments = kHeadLinearRows / 8;
constexpr int kHeadLinearChunk = 32;  // elements of K that a warp takes at a time

template <typename T, typename Y>
__global__ void __launch_bounds__(kHeadLinearThreads) head_linear(HeadLinearParams p) {
  ptx::wait_for_previous_launch();
  const int lane = threadIdx.x % kWarpSize;
  const int g = lane / 4;
  const int t = lane % 4;
  const int head = blockIdx.z;
  const int first_output = (blockIdx.x * (kHeadLinearThreads / kWarpSize) + threadIdx.x / kWarpSize) * 16;
  const int first_row = blockIdx.y * kHeadLinearRows;
  // Whole warps leave together.
  if (first_output >= p.outputs) return;

  const T* weight = static_cast<const T*>(p.weight) + static_cast<size_t>(head) * p.outputs * p.inner;
  const T* x = static_cast<const T*>(p.x) + static_cast<size_t>(head) * p.inner;
  const auto load = [&](const T* rows, size_t stride, int row, int count, int k) {
    return row < count && k < p.inner ? *reinterpret_cast<const uint4*>(rows + row * stride + k) : make_uint4(0, 0, 0, 0);
  };

  float sums[kHeadLinearFragments][4] = {};
  for (int chunk = 0; chunk < p.inner; chunk += kHeadLinearChunk) {
    const int k = chunk + t * kVec;
    const uint4 upper = load(weight, p.inner, first_output + g, p.outputs, k);
    const uint4 lower = load(weight, p.inner, first_output + 8 + g, p.outputs, k);
    const unsigned low[4] = {upper.x, lower.x, upper.y, lower.y};
    const unsigned high[4] = {upper.z, lower.z, upper.w, lower.w};
#pragma unroll
    for (int f = 0; f < kHeadLinearFragments; ++f) {
      if (first_row + f * 8 >= p.rows) continue;
      const uint4 row = load(x, p.x_stride, first_row + f * 8 + g, p.rows, k);
      ptx::mma_m16n8k16<T>(sums[f], low, row.x, row.y);
      ptx::mma_m16n8k16<T>(sums[f], high, row.z, row.w);
    }
  }
  ptx::allow_next_launch();

#pragma unroll
  for (int f = 0; f < kHeadLinearFragments; ++f) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int n = first_row + f * 8 + t * 2 + i % 2;
      const int m = first_output + g + i / 2 * 8;
      if (n < p.rows && m < p.outputs)
        static_cast<Y*>(p.y)[static_cast<size_t>(n) * p.y_stride + head * p.outputs + m] = from_float<Y>(sums[f][i]);
    }
  }
}

}  // namespace weft
