// A learned prompt (Lester et al. 2021, arXiv 2104.08691; Li and Liang 2021, arXiv 2101.00190): what the tokens at a sequence's first
// positions are is a row of a table, not what was computed of them. Tokens at other positions are left alone.
#include "common/vec.cuh"

namespace weft {

constexpr int kVirtualThreads = 128;

// x[n] = table[positions[n]] where positions[n] < count.
//   table [count, stride] T, x [N, x_stride] float32
// One block a token.
struct VirtualRowsParams {
  const void* table;
  const int* positions;
  float* x;
  int count;
  int width;
  int stride;
  int x_stride;
};

template <typename T>
__global__ void __launch_bounds__(kVirtualThreads) virtual_rows(VirtualRowsParams p) {
  ptx::wait_for_previous_launch();
  const int position = p.positions[blockIdx.x];
  if (position >= p.count) return;
  const T* row = static_cast<const T*>(p.table) + static_cast<size_t>(position) * p.stride;
  float* x = p.x + static_cast<size_t>(blockIdx.x) * p.x_stride;
  for (int c = threadIdx.x * kVec; c < p.width; c += kVirtualThreads * kVec) {
    float values[kVec];
    load8(row + c, p.width - c, values);
    store8(x + c, p.width - c, values);
  }
}

// Keys and values of the tokens at positions[n] < count.
//   table [count, stride] T: G keys of D, then G values of D
//   keys, values [blocks, G, 16, cache_row] C, of which the first D are written; slots[n] = block · 16 + offset, or negative: not written
// One block a token.
struct VirtualKeysParams {
  const void* table;
  const int* positions;
  const int* slots;
  void* keys;
  void* values;
  int count;
  int key_heads;  // G
  int head_size;  // D
  int cache_row;
  int stride;
};

template <typename T, typename C>
__global__ void __launch_bounds__(kVirtualThreads) virtual_keys(VirtualKeysParams p) {
  ptx::wait_for_previous_launch();
  constexpr int kCacheBlock = 16;
  const int position = p.positions[blockIdx.x];
  const int slot = p.slots[blockIdx.x];
  if (position >= p.count || slot < 0) return;
  const T* row = static_cast<const T*>(p.table) + static_cast<size_t>(position) * p.stride;
  const int width = p.key_heads * p.head_size;
  for (int i = threadIdx.x; i < 2 * width; i += kVirtualThreads) {
    const int c = i < width ? i : i - width;
    const int head = c / p.head_size;
    const size_t place = (static_cast<size_t>(slot / kCacheBlock) * p.key_heads + head) * kCacheBlock + slot % kCacheBlock;
    static_cast<C*>(i < width ? p.keys : p.values)[place * p.cache_row + c % p.head_size] = from_float<C>(to_float(row[i]));
  }
}

}  // namespace weft
