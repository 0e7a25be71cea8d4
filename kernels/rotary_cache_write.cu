// Takes the joint product of a layer's queries, keys and values, norms queries and keys where the model does, turns them by their
// positions (Su et al. 2021, arXiv 2104.09864), and writes queries for attention, keys and values to the paged cache.
//   qkv    [N, stride] float32: H query heads, G key heads, G value heads, D each
//   q      [N, q_stride] T, head h at h·D
//   table  [positions, rotary / 2] (cos, sin)
//   keys, values [blocks, G, 16, D] T; slots[n] = block · 16 + offset, or negative: not written
// One warp a head of a token; lane l owns pairs l, l + 32, ….
#include "common/reduce.cuh"

namespace weft {

struct RotaryCacheWriteParams {
  const float* qkv;
  void* q;
  const float2* table;
  const int* positions;
  const int* slots;
  void* keys;
  void* values;
  const float* query_norm;  // [D], or null
  const float* key_norm;    // [D], or null
  int tokens;
  int stride;
  int q_stride;
  int query_heads;
  int key_heads;
  int rotary;  // dimensions that turn, even, ≤ D; 0: none
  float epsilon;
  float norm_offset;
};

constexpr int kRotaryThreads = 128;
constexpr int kCacheBlock = 16;

// Which two dimensions make a pair.
struct HalfSplit {
  __device__ static int first(int pair, int) { return pair; }
  __device__ static int second(int pair, int rotary) { return pair + rotary / 2; }
};

struct Interleaved {
  __device__ static int first(int pair, int) { return 2 * pair; }
  __device__ static int second(int pair, int) { return 2 * pair + 1; }
};

template <typename T, int D, typename Layout>
__global__ void __launch_bounds__(kRotaryThreads) rotary_cache_write(RotaryCacheWriteParams p) {
  ptx::wait_for_previous_launch();
  constexpr int kPairs = (D / 2 + kWarpSize - 1) / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const int heads = p.query_heads + 2 * p.key_heads;
  const int unit = blockIdx.x * (kRotaryThreads / kWarpSize) + threadIdx.x / kWarpSize;
  // Whole warps leave together.
  if (unit >= p.tokens * heads) return;
  const int token = unit / heads;
  const int head = unit % heads;
  const bool is_query = head < p.query_heads;
  const bool is_value = head >= p.query_heads + p.key_heads;
  const float* x = p.qkv + static_cast<size_t>(token) * p.stride + head * D;

  // Pairs of the turned part first, then the rest two by two; both end at D.
  float a[kPairs], b[kPairs];
  int at[kPairs], bt[kPairs];
  float square = 0.0f;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = lane + i * kWarpSize;
    const bool turns = pair < p.rotary / 2;
    at[i] = turns ? Layout::first(pair, p.rotary) : 2 * pair;
    bt[i] = turns ? Layout::second(pair, p.rotary) : 2 * pair + 1;
    const bool inside = pair < D / 2;
    a[i] = inside ? x[at[i]] : 0.0f;
    b[i] = inside ? x[bt[i]] : 0.0f;
    square += a[i] * a[i] + b[i] * b[i];
  }

  if (!is_value) {
    const float* weight = is_query ? p.query_norm : p.key_norm;
    if (weight) {
      const float scale = rsqrtf(warp_reduce<Sum>(square) / D + p.epsilon);
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        if (lane + i * kWarpSize >= D / 2) continue;
        a[i] *= scale * (weight[at[i]] + p.norm_offset);
        b[i] *= scale * (weight[bt[i]] + p.norm_offset);
      }
    }
    const float2* angles = p.table + static_cast<size_t>(p.positions[token]) * (p.rotary / 2);
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int pair = lane + i * kWarpSize;
      if (pair >= p.rotary / 2) continue;
      const float2 turn = angles[pair];
      const float turned = a[i] * turn.x - b[i] * turn.y;
      b[i] = b[i] * turn.x + a[i] * turn.y;
      a[i] = turned;
    }
  }

  T* target;
  if (is_query) {
    target = static_cast<T*>(p.q) + static_cast<size_t>(token) * p.q_stride + head * D;
  } else {
    const int slot = p.slots[token];
    if (slot < 0) return;
    const int group = is_value ? head - p.query_heads - p.key_heads : head - p.query_heads;
    const size_t row = (static_cast<size_t>(slot / kCacheBlock) * p.key_heads + group) * kCacheBlock + slot % kCacheBlock;
    target = static_cast<T*>(is_value ? p.values : p.keys) + row * D;
  }
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    if (lane + i * kWarpSize >= D / 2) continue;
    target[at[i]] = from_float<T>(a[i]);
    target[bt[i]] = from_float<T>(b[i]);
  }
}

}  // namespace weft
