// Takes the joint product of a layer's queries, keys and values, clamps it, norms each head of queries and keys where the model does,
// before or after it turns them by their positions (Su et al. 2021, arXiv 2104.09864; dimension i of the turned part with i + rotary / 2),
// and writes queries for attention, keys and values to the paged cache.
//   qkv    [N, stride] float32: H query heads, G key heads, G value heads, D each
//   q      [N, q_stride] C, head h at h·Row
//   table  [positions, rotary / 2] (cos, sin), or with per_token [N, rotary / 2]; with key_turns [.., 2, rotary / 2], keys after queries
//   spans  [N], or null: the second half of the pairs turns by them instead of positions [N]
//   keys, values [blocks, G, 16, Row] C; slots[n] = block · 16 + offset, or negative: not written
// Row is what attention reads of a head, D or more: what is behind D is 0 and changes neither scores nor sums.
// One warp a head of a token; lane l owns pairs l, l + 32, ….
#include "common/reduce.cuh"

namespace weft {

struct RotaryCacheWriteParams {
  const float* qkv;
  void* q;
  const float2* table;
  const int* positions;
  const int* spans;  // or null
  const int* slots;
  void* keys;
  void* values;
  const float* query_norm;       // [H, D], or null: 1
  const float* key_norm;         // [G, D], or null: 1
  const float* query_norm_bias;  // [H, D], or null: 0
  const float* key_norm_bias;    // [G, D], or null: 0
  int tokens;
  int stride;
  int q_stride;
  int query_heads;
  int key_heads;
  int rotary;     // dimensions that turn, even, ≤ D; 0: none
  int head_norm;  // of HeadNorm
  float epsilon;
  float clip;  // 0: none
  int per_token;
  int log_from;   // queries at positions from here on are multiplied by ln(position + 1) / ln(log_from); 0: none
  int key_turns;  // rotary / 2 where keys have angles of their own; 0: those of queries
  int norm_last;  // heads are normed after they turn
};

constexpr int kRotaryThreads = 128;
constexpr int kCacheBlock = 16;

enum HeadNorm { kNoHeadNorm = 0, kHeadRms = 1, kHeadLayer = 2 };

template <typename C, int D, int Row = D>
__global__ void __launch_bounds__(kRotaryThreads) rotary_cache_write(RotaryCacheWriteParams p) {
  ptx::wait_for_previous_launch();
  constexpr int kPairs = (Row / 2 + kWarpSize - 1) / kWarpSize;
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

  const float limit = p.clip > 0.0f ? p.clip : kInfinity;
  // Pairs of the turned part first, then the rest two by two; both end at D, and zeros at Row.
  float a[kPairs], b[kPairs];
  int at[kPairs], bt[kPairs];
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = lane + i * kWarpSize;
    const bool turns = pair < p.rotary / 2;
    at[i] = turns ? pair : 2 * pair;
    bt[i] = turns ? pair + p.rotary / 2 : 2 * pair + 1;
    const bool inside = pair < D / 2;
    a[i] = inside ? fminf(fmaxf(x[at[i]], -limit), limit) : 0.0f;
    b[i] = inside ? fminf(fmaxf(x[bt[i]], -limit), limit) : 0.0f;
  }

  const auto turn_pairs = [&] {
    const int row = p.rotary / 2 + p.key_turns;
    const float2* angles = p.table + static_cast<size_t>(p.per_token ? token : p.positions[token]) * row + (is_query ? 0 : p.key_turns);
    const float2* span_angles = p.spans ? p.table + static_cast<size_t>(p.spans[token]) * row : angles;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int pair = lane + i * kWarpSize;
      if (pair >= p.rotary / 2) continue;
      const float2 turn = (2 * pair < p.rotary / 2 ? angles : span_angles)[pair];
      const float turned = a[i] * turn.x - b[i] * turn.y;
      b[i] = b[i] * turn.x + a[i] * turn.y;
      a[i] = turned;
    }
  };

  if (!is_value) {
    if (p.norm_last) turn_pairs();
    if (p.head_norm != kNoHeadNorm) {
      const int first = (is_query ? head : head - p.query_heads) * D;
      const float* weight = is_query ? p.query_norm : p.key_norm;
      const float* bias = is_query ? p.query_norm_bias : p.key_norm_bias;
      float sum = 0.0f, square = 0.0f;
#pragma unroll
      for (int i = 0; i < kPairs; ++i) sum += a[i] + b[i];
      const float mean = p.head_norm == kHeadLayer ? warp_reduce<Sum>(sum) / D : 0.0f;
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        if (lane + i * kWarpSize >= D / 2) continue;
        a[i] -= mean;
        b[i] -= mean;
        square += a[i] * a[i] + b[i] * b[i];
      }
      const float scale = rsqrtf(warp_reduce<Sum>(square) / D + p.epsilon);
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        if (lane + i * kWarpSize >= D / 2) continue;
        a[i] = a[i] * scale * (weight ? weight[first + at[i]] : 1.0f) + (bias ? bias[first + at[i]] : 0.0f);
        b[i] = b[i] * scale * (weight ? weight[first + bt[i]] : 1.0f) + (bias ? bias[first + bt[i]] : 0.0f);
      }
    }
    if (!p.norm_last) turn_pairs();
  }
  float growth = 1.0f;
  if (is_query && p.log_from > 0 && p.positions[token] >= p.log_from)
    growth = __logf(static_cast<float>(p.positions[token] + 1)) / __logf(static_cast<float>(p.log_from));

  C* target;
  if (is_query) {
    target = static_cast<C*>(p.q) + static_cast<size_t>(token) * p.q_stride + head * Row;
  } else {
    const int slot = p.slots[token];
    if (slot < 0) return;
    const int group = is_value ? head - p.query_heads - p.key_heads : head - p.query_heads;
    const size_t row = (static_cast<size_t>(slot / kCacheBlock) * p.key_heads + group) * kCacheBlock + slot % kCacheBlock;
    target = static_cast<C*>(is_value ? p.values : p.keys) + row * Row;
  }
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    if (lane + i * kWarpSize >= Row / 2) continue;
    target[at[i]] = from_float<C>(a[i] * growth);
    target[bt[i]] = from_float<C>(b[i] * growth);
  }
}

}  // namespace weft
