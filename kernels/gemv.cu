// y[n, m] = Σ_k x[n, k] · W[m, k] for few rows n: every weight is read once, past L1, 16 bytes a lane.
//   W [M, w_stride] T, zero beyond K        x [N, x_stride] T, or float32 that is normed on the way (RmsInput)
//   y [N, y_stride] T or float32
// x is staged in shared memory as float32: with so few rows it is the weights that cost, and what is not rounded is not lost. A warp takes
// R rows of W (R pairs of rows when gated) and all of K; lane l reads elements 8·(l + 32·i), so the sum of a row is formed in one order
// whatever N, NB and R are.
#include "common/activations.cuh"
#include "common/row_norm.cuh"

namespace weft {

struct GemvParams {
  const void* x;
  const void* weight;
  const float* bias;         // [M] or null
  const float* norm_weight;  // [K], RmsInput only
  void* y;
  int rows;     // N ≤ NB
  int outputs;  // M; when gated, rows m and M + m of W make output m
  int inner;    // K
  int x_stride;
  int w_stride;
  int y_stride;
  float epsilon;
  float norm_offset;
};

constexpr int kGemvThreads = kNormThreads;
constexpr int kGemvWarps = kGemvThreads / kWarpSize;

// Rows as they are.
struct PlainInput {
  template <typename T, int NB>
  __device__ static void stage(const GemvParams& p, float* staged, int width, float*) {
    for (int c = threadIdx.x * kVec; c < NB * width; c += kGemvThreads * kVec) {
      const int n = c / width;
      const int k = c % width;
      float values[kVec] = {};
      if (n < p.rows) load8(static_cast<const T*>(p.x) + static_cast<size_t>(n) * p.x_stride + k, p.inner - k, values);
      store8(staged + c, values);
    }
  }
};

// Rows of the residual stream, normed as norm.cu does.
struct RmsInput {
  template <typename T, int NB>
  __device__ static void stage(const GemvParams& p, float* staged, int width, float* scratch) {
    for (int n = 0; n < NB; ++n) {
      const float* x = static_cast<const float*>(p.x) + static_cast<size_t>(n) * p.x_stride;
      const float scale = n < p.rows ? rms_scale(x, p.inner, p.epsilon, scratch) : 0.0f;
      for (int k = threadIdx.x * kVec; k < width; k += kGemvThreads * kVec) {
        float values[kVec] = {};
        if (n < p.rows) {
          float weight[kVec];
          load8(x + k, p.inner - k, values);
          load8(p.norm_weight + k, p.inner - k, weight);
#pragma unroll
          for (int i = 0; i < kVec; ++i) values[i] = values[i] * scale * (weight[i] + p.norm_offset);
        }
        store8(staged + n * width + k, values);
      }
    }
  }
};

struct StoreHalf {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<T*>(y)[at] = from_float<T>(value);
  }
};

struct StoreFloat {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] = value;
  }
};

struct Accumulate {
  static constexpr bool kGated = false;
  template <typename T>
  __device__ static void store(void* y, size_t at, float value, float) {
    static_cast<float*>(y)[at] += value;
  }
};

template <typename A>
struct Gate {
  static constexpr bool kGated = true;
  template <typename T>
  __device__ static void store(void* y, size_t at, float gate, float up) {
    static_cast<T*>(y)[at] = from_float<T>(A::apply(gate) * up);
  }
};

template <typename T, int NB, int R, typename Input, typename Output>
__global__ void __launch_bounds__(kGemvThreads, 1) gemv(GemvParams p) {
  constexpr int kRows = Output::kGated ? 2 * R : R;
  float* scratch = reinterpret_cast<float*>(ptx::dynamic_shared());
  float* staged = scratch + kGemvWarps;
  const int width = (p.inner + kVec - 1) / kVec * kVec;
  const int lane = threadIdx.x % kWarpSize;
  const int first = (blockIdx.x * kGemvWarps + threadIdx.x / kWarpSize) * R;

  // Rows beyond the last are read as the last and not stored.
  const T* weight[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = min(first + r % R, p.outputs - 1) + (r >= R ? p.outputs : 0);
    weight[r] = static_cast<const T*>(p.weight) + static_cast<size_t>(row) * p.w_stride;
  }

  ptx::wait_for_previous_launch();
  Input::template stage<T, NB>(p, staged, width, scratch);
  __syncthreads();
  ptx::allow_next_launch();

  float sums[kRows][NB] = {};
#pragma unroll 2
  for (int k = lane * kVec; k < width; k += kWarpSize * kVec) {
    float w[kRows][kVec];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const uint4 loaded = ptx::load_streaming(weight[r] + k);
      Vec<T>{{loaded.x, loaded.y, loaded.z, loaded.w}}.unpack(w[r]);
    }
#pragma unroll
    for (int n = 0; n < NB; ++n) {
      float x[kVec];
      load8(staged + n * width + k, x);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
#pragma unroll
        for (int i = 0; i < kVec; ++i) sums[r][n] = fmaf(w[r][i], x[i], sums[r][n]);
      }
    }
  }

#pragma unroll
  for (int r = 0; r < kRows; ++r) {
#pragma unroll
    for (int n = 0; n < NB; ++n) sums[r][n] = warp_reduce<Sum>(sums[r][n]);
  }

  // Lane n stores row n of the batch.
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int m = first + r;
    float value = 0.0f, up = 0.0f;
#pragma unroll
    for (int n = 0; n < NB; ++n) {
      if (lane != n) continue;
      value = sums[r][n];
      if constexpr (Output::kGated) up = sums[R + r][n];
    }
    if (m >= p.outputs || lane >= p.rows) continue;
    if (p.bias) {
      value += p.bias[m];
      if constexpr (Output::kGated) up += p.bias[p.outputs + m];
    }
    Output::template store<T>(p.y, static_cast<size_t>(lane) * p.y_stride + m, value, up);
  }
}

}  // namespace weft
