// y[n, c] = norm(x[n])[c] · (w[c] + offset) + b[c].
//   x   [N, x_stride] X, the residual stream or activations; with a Delta, x += delta first and the sum is written back
//   y   [N, y_stride] Y; Quantized stores int8 with a scale a row, |y| ≤ 127 · scale
//   low [N, y_stride] Y, or null: what rounding to Y lost, of rows whose token was drawn
// One block a row or part of a row. It stays in shared memory, so that global memory is read once.
#include "common/row_norm.cuh"

namespace weft {

struct NormParams {
  void* x;
  const void* delta;
  const float* weight;  // null: 1; 16-byte aligned, as the bias
  const float* bias;    // null: 0
  void* y;
  void* low;
  const int* drawn;  // [N], with low
  float* scales;     // [N], Quantized only
  int width;
  int x_stride;
  int delta_stride;
  int y_stride;
  float epsilon;
  float weight_offset;
  int parts;  // of a row, side by side, each `width` wide and normed by itself: a block each; 0 for one
};

struct None {};
struct Quantized {
  signed char value;
};

// x / sqrt(mean(x²) + ε).
struct Rms {
  static constexpr bool kCenters = false;
};

// (x − mean(x)) / sqrt(var(x) + ε) (Ba et al. 2016, arXiv 1607.06450).
struct Layer {
  static constexpr bool kCenters = true;
};

template <typename Kind, typename X, typename Y, typename Delta>
__global__ void __launch_bounds__(kNormThreads) norm(NormParams p) {
  ptx::wait_for_previous_launch();
  constexpr int kStep = kNormThreads * kVec;
  float* scratch = reinterpret_cast<float*>(ptx::dynamic_shared());
  float* cached = scratch + kNormThreads / kWarpSize;  // [width], rounded up to whole vectors
  const int parts = p.parts > 0 ? p.parts : 1;
  const int row = blockIdx.x / parts;
  const int part = blockIdx.x % parts * p.width;
  X* x = static_cast<X*>(p.x) + static_cast<size_t>(row) * p.x_stride + part;
  const int first = threadIdx.x * kVec;

  float sum = 0.0f;
  for (int c = first; c < p.width; c += kStep) {
    const int count = p.width - c;
    float values[kVec];
    load8(x + c, count, values);
    if constexpr (sizeof(Delta) > 1) {
      float added[kVec];
      load8(static_cast<const Delta*>(p.delta) + static_cast<size_t>(row) * p.delta_stride + part + c, count, added);
#pragma unroll
      for (int i = 0; i < kVec; ++i) values[i] += added[i];
      store8(x + c, count, values);
    }
#pragma unroll
    for (int i = 0; i < kVec; ++i) sum += Kind::kCenters ? values[i] : values[i] * values[i];
    store8(cached + c, values);
  }
  ptx::allow_next_launch();

  // Each thread reads back only what it wrote, so only the sums need the block.
  float mean = 0.0f;
  float square = sum;
  if constexpr (Kind::kCenters) {
    mean = block_reduce<Sum>(sum, scratch) / p.width;
    square = 0.0f;
    for (int c = first; c < p.width; c += kStep) {
      float values[kVec];
      load8(cached + c, values);
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        const float centred = c + i < p.width ? values[i] - mean : 0.0f;
        square += centred * centred;
      }
    }
  }
  const float scale = rsqrtf(block_reduce<Sum>(square, scratch) / p.width + p.epsilon);

  float largest = 0.0f;
  for (int c = first; c < p.width; c += kStep) {
    float y[kVec], weight[kVec], bias[kVec] = {};
    load8(cached + c, y);
    if (p.weight) load8(p.weight + part + c, p.width - c, weight);
    if (p.bias) load8(p.bias + part + c, p.width - c, bias);
#pragma unroll
    for (int i = 0; i < kVec; ++i) {
      y[i] = (y[i] - mean) * scale * (p.weight ? weight[i] + p.weight_offset : 1.0f) + bias[i];
      largest = fmaxf(largest, c + i < p.width ? fabsf(y[i]) : 0.0f);
    }
    if constexpr (sizeof(Y) == 2) {
      if (p.low && p.drawn[row]) {
        float lost[kVec];
#pragma unroll
        for (int i = 0; i < kVec; ++i) lost[i] = y[i];
        round8<Y>(lost);
        store8(static_cast<Y*>(p.low) + static_cast<size_t>(row) * p.y_stride + part + c, p.width - c, lost);
      }
    }
    if constexpr (sizeof(Y) > 1) {
      store8(static_cast<Y*>(p.y) + static_cast<size_t>(row) * p.y_stride + part + c, p.width - c, y);
    } else {
      store8(cached + c, y);
    }
  }

  if constexpr (sizeof(Y) == 1) {
    const float step = block_reduce<Max>(largest, scratch) / 127.0f;
    // Below the smallest normal number the inverse would be infinite; such a row is zero for every purpose.
    const float inverse = step >= 1.17549435e-38f ? 1.0f / step : 0.0f;
    if (threadIdx.x == 0) p.scales[row] = step;
    signed char* y = static_cast<signed char*>(p.y) + static_cast<size_t>(row) * p.y_stride + part;
    for (int c = first; c < p.width; c += kStep)
      for (int i = 0; i < kVec && c + i < p.width; ++i) y[c + i] = static_cast<signed char>(rintf(cached[c + i] * inverse));
  }
}

}  // namespace weft
