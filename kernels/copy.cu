// Moving rows: gathers, heads, cache blocks, conversions and sums.
#include "common/vec.cuh"

namespace weft {

constexpr int kCopyThreads = 128;

// y[r] = x[rows[r]]; rows may be null: y = x. Converts between element types on the way, and adds to y where Add.
//   x [*, x_stride] X, y [R, y_stride] Y
struct CopyRowsParams {
  const void* x;
  const int* rows;
  void* y;
  int width;
  int x_stride;
  int y_stride;
};

template <typename X, typename Y, bool Add>
__global__ void __launch_bounds__(kCopyThreads) copy_rows(CopyRowsParams p) {
  ptx::wait_for_previous_launch();
  const int row = p.rows ? p.rows[blockIdx.x] : static_cast<int>(blockIdx.x);
  const X* x = static_cast<const X*>(p.x) + static_cast<size_t>(row) * p.x_stride;
  Y* y = static_cast<Y*>(p.y) + static_cast<size_t>(blockIdx.x) * p.y_stride;
  for (int c = threadIdx.x * kVec; c < p.width; c += kCopyThreads * kVec) {
    float values[kVec];
    load8(x + c, p.width - c, values);
    if constexpr (Add) {
      float old[kVec];
      load8(y + c, p.width - c, old);
#pragma unroll
      for (int i = 0; i < kVec; ++i) values[i] += old[i];
    }
    store8(y + c, p.width - c, values);
  }
}

// y[n, h, d] = x[n, h, d] for d < x_size, and 0 behind: gives heads as many elements as attention reads of them, or takes them away again.
//   x [N, x_stride] X, head h at h · x_size; y [N, y_stride] Y, head h at h · y_size
// One warp a head of a token.
struct CopyHeadsParams {
  const void* x;
  void* y;
  int tokens;
  int heads;
  int x_size;
  int y_size;
  int x_stride;
  int y_stride;
};

template <typename X, typename Y>
__global__ void __launch_bounds__(kCopyThreads) copy_heads(CopyHeadsParams p) {
  ptx::wait_for_previous_launch();
  const int unit = blockIdx.x * (kCopyThreads / kWarpSize) + threadIdx.x / kWarpSize;
  // Whole warps leave together.
  if (unit >= p.tokens * p.heads) return;
  const int token = unit / p.heads;
  const int head = unit % p.heads;
  const X* x = static_cast<const X*>(p.x) + static_cast<size_t>(token) * p.x_stride + head * p.x_size;
  Y* y = static_cast<Y*>(p.y) + static_cast<size_t>(token) * p.y_stride + head * p.y_size;
  for (int d = threadIdx.x % kWarpSize; d < p.y_size; d += kWarpSize) y[d] = from_float<Y>(d < p.x_size ? to_float(x[d]) : 0.0f);
}

// One cache block's keys and values in every layer.
//   layers [2 · layers] base addresses; bytes[i] of one block there, a multiple of 16
struct CopyBlockParams {
  const unsigned long long* layers;
  const int* bytes;
  int source;
  int target;
};

__global__ void __launch_bounds__(kCopyThreads) copy_block(CopyBlockParams p) {
  ptx::wait_for_previous_launch();
  const size_t bytes = static_cast<size_t>(p.bytes[blockIdx.x]);
  unsigned char* base = reinterpret_cast<unsigned char*>(p.layers[blockIdx.x]);
  const uint4* source = reinterpret_cast<const uint4*>(base + bytes * p.source);
  uint4* target = reinterpret_cast<uint4*>(base + bytes * p.target);
  for (size_t i = threadIdx.x; i < bytes / 16; i += kCopyThreads) target[i] = source[i];
}

// y[i] = value for i < count.
struct FillParams {
  void* y;
  long long count;
  float value;
};

template <typename Y>
__global__ void __launch_bounds__(kCopyThreads) fill(FillParams p) {
  ptx::wait_for_previous_launch();
  const long long i = static_cast<long long>(blockIdx.x) * kCopyThreads + threadIdx.x;
  if (i < p.count) static_cast<Y*>(p.y)[i] = from_float<Y>(p.value);
}

}  // namespace weft
