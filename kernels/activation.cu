// After a product that has no epilogue of its own.
//   gated: y[n, f] = A(x[n, f]) · x[n, F + f];  plain: y[n, f] = A(x[n, f])
//   x [N, x_stride] T, y [N, y_stride] T; y may be x.
#include "common/activations.cuh"
#include "common/vec.cuh"

namespace weft {

struct ActivationParams {
  const void* x;
  void* y;
  int rows;
  int width;  // F
  int x_stride;
  int y_stride;
};

constexpr int kActivationThreads = 256;

template <typename T, typename A, bool Gated>
__global__ void __launch_bounds__(kActivationThreads) activation(ActivationParams p) {
  ptx::wait_for_previous_launch();
  const T* x = static_cast<const T*>(p.x) + static_cast<size_t>(blockIdx.y) * p.x_stride;
  T* y = static_cast<T*>(p.y) + static_cast<size_t>(blockIdx.y) * p.y_stride;
  const int c = (blockIdx.x * kActivationThreads + threadIdx.x) * kVec;
  if (c >= p.width) return;
  const int count = p.width - c;
  float values[kVec];
  load8(x + c, count, values);
  float up[kVec];
  if constexpr (Gated) {
    // The second half starts at any element.
    if (p.width % kVec == 0) {
      load8(x + p.width + c, count, up);
    } else {
#pragma unroll
      for (int i = 0; i < kVec; ++i) up[i] = i < count ? to_float(x[p.width + c + i]) : 0.0f;
    }
  }
#pragma unroll
  for (int i = 0; i < kVec; ++i) {
    values[i] = A::apply(values[i]);
    if constexpr (Gated) values[i] *= up[i];
  }
  store8(y + c, count, values);
}

}  // namespace weft
