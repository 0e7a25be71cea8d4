// Nonlinearities of feed-forward blocks, in float32. NVRTC rule: device code only.
#pragma once

namespace weft {

struct Identity {
  __device__ static float apply(float x) { return x; }
};

// x · sigmoid(x).
struct Silu {
  __device__ static float apply(float x) { return x / (1.0f + __expf(-x)); }
};

// x · Φ(x).
struct Gelu {
  __device__ static float apply(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
};

// The tanh approximation of gelu.
struct GeluTanh {
  __device__ static float apply(float x) { return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))); }
};

// x · sigmoid(1.702 x).
struct QuickGelu {
  __device__ static float apply(float x) { return x / (1.0f + __expf(-1.702f * x)); }
};

struct Sigmoid {
  __device__ static float apply(float x) { return 1.0f / (1.0f + __expf(-x)); }
};

struct Tanh {
  __device__ static float apply(float x) { return tanhf(x); }
};

struct Relu {
  __device__ static float apply(float x) { return fmaxf(x, 0.0f); }
};

struct ReluSquared {
  __device__ static float apply(float x) {
    const float positive = fmaxf(x, 0.0f);
    return positive * positive;
  }
};

}  // namespace weft
