// Which experts a step's tokens go through, without the host: `route` chooses for each token, `sort_assignments` brings each expert's
// tokens together. An assignment is one expert of one token; there are N · A of them whatever is chosen, so that launches have the same
// shape in every step. Products then take tiles of neighbouring assignments of one expert (common/expert_rows.cuh).
#include "common/expert_rows.cuh"
#include "common/reduce.cuh"

namespace weft {

struct RouteParams {
  const float* logits;  // [N, stride]
  const float* bias;    // [E] added for choosing, or null
  int* chosen;          // [N, A]
  float* weights;       // [N, A]
  int rows;             // N
  int experts;          // E
  int active;           // A
  int stride;
  int sigmoid;        // of each logit; otherwise a softmax over all
  int groups;         // experts are chosen from the `active_groups` groups whose `leading` largest keys have the largest sum
  int active_groups;  // 0: from all
  int leading;
  int normalized;
  float scale;
  float margin;  // scores are softmaxes over who is left of the experts whose logits are near enough; negative: over all
};

struct SortParams {
  const int* chosen;  // [N, A]
  int* sources;       // [assignments] the token of each, sorted by expert
  int* places;        // [N, A] where each went
  ExpertTile* tiles;  // [most_tiles]
  int assignments;    // N · A
  int experts;        // E
  int active;         // A
  int most_tiles;
  int columns;  // most assignments of a tile
};

constexpr int kRouteWarps = 4;
constexpr int kRouteThreads = kRouteWarps * kWarpSize;
constexpr int kSortThreads = 256;
constexpr int kSortWarps = kSortThreads / kWarpSize;
constexpr int kNoIndex = 0x7fffffff;

// The larger of two keys, of equal ones the one with the lower index.
struct Best {
  float key = -kInfinity;
  int index = kNoIndex;

  __device__ void offer(float other, int other_index) {
    if (other > key || (other == key && other_index < index)) key = other, index = other_index;
  }
};

// Of all lanes' keys [count].
__device__ inline int warp_argmax(const float* keys, int count) {
  Best best;
  for (int i = threadIdx.x % kWarpSize; i < count; i += kWarpSize) best.offer(keys[i], i);
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2)
    best.offer(__shfl_xor_sync(kFullMask, best.key, offset), __shfl_xor_sync(kFullMask, best.index, offset));
  return best.index;
}

// The same, and takes it out: its key becomes negative infinity.
__device__ inline int take_largest(float* keys, int count) {
  const int index = warp_argmax(keys, count);
  __syncwarp();
  if (threadIdx.x % kWarpSize == 0) keys[index] = -kInfinity;
  __syncwarp();
  return index;
}

// The sum of the `leading` largest of keys [count], the largest first.
__device__ inline float sum_of_largest(const float* keys, int count, int leading) {
  float sum = 0.0f;
  Best last;
  last.key = kInfinity;
  last.index = -1;
  for (int i = 0; i < leading; ++i) {
    Best next;
    for (int j = 0; j < count; ++j) {
      const bool is_left = keys[j] < last.key || (keys[j] == last.key && j > last.index);
      if (is_left) next.offer(keys[j], j);
    }
    sum += next.key;
    last = next;
  }
  return sum;
}

// Softmax of a logit over itself and those of logits [count] that are near it; those that were taken out are negative infinity.
__device__ inline float score_among(const float* logits, int count, float own, float margin) {
  float sum = 0.0f;
  for (int e = threadIdx.x % kWarpSize; e < count; e += kWarpSize)
    if (logits[e] > -kInfinity && !((own - logits[e]) / fmaxf(fabsf(logits[e]), own) > margin)) sum += expf(logits[e] - own);
  return 1.0f / (1.0f + warp_reduce<Sum>(sum));
}

// A warp a token. Shared memory of a warp: scores [E], keys [E], keys of groups [groups], experts chosen [A].
__global__ void __launch_bounds__(kRouteThreads) route(RouteParams p) {
  ptx::wait_for_previous_launch();
  ptx::allow_next_launch();
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int n = blockIdx.x * kRouteWarps + warp;
  if (n >= p.rows) return;
  float* scores = reinterpret_cast<float*>(ptx::dynamic_shared()) + warp * (2 * p.experts + p.groups + p.active);
  float* keys = scores + p.experts;
  float* group_keys = keys + p.experts;
  int* picked = reinterpret_cast<int*>(group_keys + p.groups);
  const float* logits = p.logits + static_cast<size_t>(n) * p.stride;

  float largest = -kInfinity;
  for (int e = lane; e < p.experts; e += kWarpSize) largest = fmaxf(largest, logits[e]);
  largest = warp_reduce<Max>(largest);
  float sum = 0.0f;
  for (int e = lane; e < p.experts; e += kWarpSize) {
    scores[e] = p.sigmoid ? 1.0f / (1.0f + expf(-logits[e])) : expf(logits[e] - largest);
    sum += scores[e];
  }
  sum = warp_reduce<Sum>(sum);
  for (int e = lane; e < p.experts; e += kWarpSize) {
    const float score = p.sigmoid ? scores[e] : scores[e] / sum;
    scores[e] = score;
    const float key = p.margin < 0.0f ? score + (p.bias ? p.bias[e] : 0.0f) : logits[e];
    keys[e] = key == key ? key : -kInfinity;  // what is no number is compared as the least
  }
  __syncwarp();

  if (p.active_groups > 0) {
    const int size = p.experts / p.groups;
    for (int i = lane; i < p.groups; i += kWarpSize) group_keys[i] = sum_of_largest(keys + i * size, size, p.leading);
    __syncwarp();
    for (int i = 0; i < p.active_groups; ++i) take_largest(group_keys, p.groups);
    // Groups that were taken have no key any more; experts of the others are out of the question.
    for (int e = lane; e < p.experts; e += kWarpSize)
      if (group_keys[e / size] != -kInfinity) keys[e] = -kInfinity;
    __syncwarp();
  }

  float total = 0.0f;
  for (int i = 0; i < p.active; ++i) {
    const int expert = take_largest(keys, p.experts);
    if (p.margin >= 0.0f) {
      const float score = score_among(keys, p.experts, logits[expert], p.margin);
      if (lane == 0) scores[expert] = score;
      __syncwarp();
    }
    total += scores[expert];
    if (lane == 0) picked[i] = expert;
  }
  __syncwarp();
  // Sigmoids of very low logits can all be zero.
  const float divisor = p.normalized ? total + 1e-20f : 1.0f;
  for (int i = lane; i < p.active; i += kWarpSize) {
    const size_t at = static_cast<size_t>(n) * p.active + i;
    p.chosen[at] = picked[i];
    p.weights[at] = scores[picked[i]] / divisor * p.scale;
  }
}

// A block an expert: counts everyone's assignments, which says where its own begin, and puts those there in the order of their tokens.
// Shared memory: assignments of each expert [E].
__global__ void __launch_bounds__(kSortThreads) sort_assignments(SortParams p) {
  ptx::wait_for_previous_launch();
  ptx::allow_next_launch();
  int* counts = reinterpret_cast<int*>(ptx::dynamic_shared());
  int* before = counts + p.experts;  // assignments, then tiles, of the experts before
  int* of_warp = before + 2;         // [warps]
  const int lane = threadIdx.x % kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int expert = blockIdx.x;
  const auto tiles_of = [&](int count) { return (count + p.columns - 1) / p.columns; };

  for (int e = threadIdx.x; e < p.experts + 2; e += kSortThreads) counts[e] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < p.assignments; i += kSortThreads) atomicAdd(counts + p.chosen[i], 1);
  __syncthreads();
  for (int e = threadIdx.x; e < expert; e += kSortThreads) {
    atomicAdd(before, counts[e]);
    atomicAdd(before + 1, tiles_of(counts[e]));
  }
  __syncthreads();
  const int own = counts[expert];
  const int start = before[0];
  const int first_tile = before[1];
  for (int i = threadIdx.x; i < tiles_of(own); i += kSortThreads)
    p.tiles[first_tile + i] = {expert, start + i * p.columns, min(p.columns, own - i * p.columns), 0};
  if (expert == p.experts - 1) {
    for (int i = first_tile + tiles_of(own) + threadIdx.x; i < p.most_tiles; i += kSortThreads) p.tiles[i] = {0, 0, 0, 0};
  }

  int place = start;
  for (int first = 0; first < p.assignments && place < start + own; first += kSortThreads) {
    const int i = first + threadIdx.x;
    const bool is_own = i < p.assignments && p.chosen[i] == expert;
    const unsigned lanes = __ballot_sync(kFullMask, is_own);
    if (lane == 0) of_warp[warp] = __popc(lanes);
    __syncthreads();
    int own_place = place + __popc(lanes & ((1u << lane) - 1));
    for (int w = 0; w < kSortWarps; ++w) {
      own_place += w < warp ? of_warp[w] : 0;
      place += of_warp[w];
    }
    if (is_own) {
      p.sources[own_place] = i / p.active;
      p.places[i] = own_place;
    }
    __syncthreads();
  }
}

}  // namespace weft
