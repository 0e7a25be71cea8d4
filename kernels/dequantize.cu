// What cuBLAS multiplies many rows with: a quantized matrix as numbers in a workspace; and activations in the order of a matrix's columns.
#include "common/codes.cuh"

namespace weft {

constexpr int kDequantizeWarps = 8;
constexpr int kDequantizeThreads = kDequantizeWarps * kWarpSize;

// y[m, k] = (code − zero point) · scale, columns in the input's order.
//   y [M, stride] T
// A warp takes a tile; grid (tiles / 8, row blocks).
struct DequantizeParams {
  QuantizedWeight weight;
  void* y;
  int rows;
  int columns;
  int stride;
};

template <typename T, int Bits, template <typename, int> class Meaning = AffineMeaning>
__global__ void __launch_bounds__(kDequantizeThreads) dequantize(DequantizeParams p) {
  ptx::wait_for_previous_launch();
  const int lane = threadIdx.x % kWarpSize;
  const int tile = blockIdx.x * kDequantizeWarps + threadIdx.x / kWarpSize;
  const int block = blockIdx.y;
  if (tile >= p.weight.tiles) return;
  const uint4 codes = p.weight.codes[(static_cast<size_t>(block) * p.weight.tiles + tile) * kWarpSize + lane];
  const unsigned words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane / 4 + 8 * half;
    if (block * kTileRows + row >= p.rows) break;
    T* y = static_cast<T*>(p.y) + static_cast<size_t>(block * kTileRows + row) * p.stride;
#pragma unroll
    for (int step = 0; step < Codes<Bits>::kSteps; ++step) {
      const int column = tile * Codes<Bits>::kTileColumns + step * kStepColumns + lane % 4 * 4;
      if (column >= p.columns) continue;
      const int group = p.weight.group_of(column);
      const float scale = Meaning<T, Bits>::scale(p.weight, block, group, row);
      const float zero = Meaning<T, Bits>::zero(p.weight, block, group, row);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (column + i >= p.columns) break;
        // Of four codes of 4 bits in a word's lower halves, the second and third have changed places.
        const unsigned code =
            Bits == 4 ? words[step] >> (4 * half + 8 * (i / 2) + 16 * (i % 2)) & 15u : words[2 * step + half] >> (8 * i) & 255u;
        y[p.weight.order ? p.weight.order[column + i] : column + i] = from_float<T>((static_cast<float>(code) - zero) * scale);
      }
    }
  }
}

// y[n, k] = x[n, order[k]]. One block a row.
//   x [N, x_stride] T      y [N, y_stride] T
struct OrderColumnsParams {
  const void* x;
  const int* order;
  void* y;
  int columns;
  int x_stride;
  int y_stride;
};

template <typename T>
__global__ void __launch_bounds__(kDequantizeThreads) order_columns(OrderColumnsParams p) {
  ptx::wait_for_previous_launch();
  const T* x = static_cast<const T*>(p.x) + static_cast<size_t>(blockIdx.x) * p.x_stride;
  T* y = static_cast<T*>(p.y) + static_cast<size_t>(blockIdx.x) * p.y_stride;
  for (int k = threadIdx.x; k < p.columns; k += kDequantizeThreads) y[k] = x[p.order[k]];
}

}  // namespace weft
