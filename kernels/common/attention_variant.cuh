// Which positions a query sees and what is done to its scores: bits of a template parameter, so that a model pays for what it uses.
// NVRTC rule: device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

enum Variant {
  kCausal = 1,      // positions up to its own
  kPrefix = 2,      // with kCausal: also all of the sequence's first prefix_lengths[b] positions (GLM)
  kWindow = 4,      // its own and the window − 1 before it
  kAlibi = 8,       // slope[h] · (key − query) on the score (Press et al. 2021, arXiv 2108.12409)
  kSoftCap = 16,    // cap · tanh(score / cap) (Gemma 2)
  kSinks = 32,      // one more logit a head in the softmax's sum (gpt-oss)
  kDistances = 64,  // a learned bias by distance (Raffel et al. 2019, arXiv 1910.10683)
};

// What scores depend on beside queries and keys; pointers that a variant does not use are null.
struct ScoreParams {
  const int* prefix_lengths;   // [B]
  const float* slopes;         // [H]
  const float* sinks;          // [H]
  const float* distance_bias;  // [H, 2 · max_distance + 1], of key − query from −max_distance on
  float scale;
  float soft_cap;
  int window;
  int max_distance;
};

template <int V>
__device__ inline bool sees(const ScoreParams& p, int query, int key, int prefix) {
  bool seen = true;
  if (V & kCausal) seen = key <= query;
  if (V & kPrefix) seen = seen || key < prefix;
  if (V & kWindow) seen = seen && key > query - p.window;
  return seen;
}

// The score of q · k in units of log2, ready for exp2.
template <int V>
__device__ inline float score(const ScoreParams& p, float product, int head, int query, int key) {
  float s = product * p.scale;
  if (V & kSoftCap) s = p.soft_cap * tanhf(s / p.soft_cap);
  if (V & kAlibi) s += p.slopes[head] * static_cast<float>(key - query);
  if (V & kDistances)
    s += p.distance_bias[head * (2 * p.max_distance + 1) + min(max(key - query, -p.max_distance), p.max_distance) + p.max_distance];
  return s * kLog2e;
}

}  // namespace weft
