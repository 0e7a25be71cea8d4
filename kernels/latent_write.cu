// Puts the queries of latent attention together and writes its cache (DeepSeek-AI 2024, arXiv 2405.04434).
//   turned [N, turned_stride] float32, head h at h·R, and latent_queries [N, latent_queries_stride] float32, head h at h·L
//     → q [N, q_stride] C, head h at h·D: [turned by the token's position, latent], D = R + L
//   key [N, key_stride] float32 of R and latent [N, latent_stride] float32 of L
//     → cache [blocks, 16, D] C; slots[n] = block · 16 + offset, or negative: not written
//   table [positions, R / 2] (cos, sin), or with per_token [N, R / 2]; dimension i turns with i + R / 2
// One warp a head of a token; the key of all heads comes after the heads.
#include "common/types.cuh"

namespace weft {

struct LatentWriteParams {
  const float* turned;
  const float* latent_queries;
  const float* key;
  const float* latent;
  void* q;
  void* cache;
  const float2* table;
  const int* positions;
  const int* slots;
  int tokens;
  int heads;
  int rotary;  // R
  int rank;    // L
  int turned_stride;
  int latent_queries_stride;
  int key_stride;
  int latent_stride;
  int q_stride;
  int per_token;
  int log_from;  // queries at positions from here on are multiplied by ln(position + 1) / ln(log_from); 0: none
};

constexpr int kLatentWriteThreads = 128;

template <typename C>
__global__ void __launch_bounds__(kLatentWriteThreads) latent_write(LatentWriteParams p) {
  ptx::wait_for_previous_launch();
  const int lane = threadIdx.x % kWarpSize;
  const int unit = blockIdx.x * (kLatentWriteThreads / kWarpSize) + threadIdx.x / kWarpSize;
  // Whole warps leave together.
  if (unit >= p.tokens * (p.heads + 1)) return;
  const size_t token = unit / (p.heads + 1);
  const int head = unit % (p.heads + 1);
  const bool is_query = head < p.heads;
  const int size = p.rotary + p.rank;
  const int position = p.positions[token];

  C* target;
  if (is_query) {
    target = static_cast<C*>(p.q) + token * p.q_stride + head * size;
  } else {
    const int slot = p.slots[token];
    if (slot < 0) return;
    target = static_cast<C*>(p.cache) + static_cast<size_t>(slot) * size;
  }
  const float growth = is_query && p.log_from > 0 && position >= p.log_from
                           ? __logf(static_cast<float>(position + 1)) / __logf(static_cast<float>(p.log_from))
                           : 1.0f;

  const int half = p.rotary / 2;
  const float* turned = is_query ? p.turned + token * p.turned_stride + head * p.rotary : p.key + token * p.key_stride;
  const float2* angles = p.table + (p.per_token ? token : static_cast<size_t>(position)) * half;
  for (int i = lane; i < half; i += kWarpSize) {
    const float2 turn = angles[i];
    const float a = turned[i], b = turned[i + half];
    target[i] = from_float<C>((a * turn.x - b * turn.y) * growth);
    target[i + half] = from_float<C>((b * turn.x + a * turn.y) * growth);
  }
  const float* latent = is_query ? p.latent_queries + token * p.latent_queries_stride + head * p.rank : p.latent + token * p.latent_stride;
  for (int i = lane; i < p.rank; i += kWarpSize) target[p.rotary + i] = from_float<C>(latent[i] * growth);
}

}  // namespace weft
