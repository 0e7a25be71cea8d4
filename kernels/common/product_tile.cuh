// The results of a block that multiplies with mma.m16n8k16: how its warps share them, how blocks that share out K meet, and how they are
// stored. NVRTC rule: device code only.
#pragma once

#include "common/product_output.cuh"

namespace weft {

// Warps lie side by side along W and along x, each with Sets · 16 rows of W and Fragments · 8 rows of x. A block's rows of W are slots,
// warp by warp; when gated, the first half of a warp's sets are rows of gate, the other half the rows of up beside them.
template <int AlongW, int AlongX, int Sets, int Fragments, bool Gated>
struct ProductTile {
  static constexpr int kThreads = AlongW * AlongX * kWarpSize;
  static constexpr int kSets = Sets;
  static constexpr int kFragments = Fragments;
  static constexpr int kSums = Sets * Fragments * 4;  // of a lane
  static constexpr int kColumns = AlongX * Fragments * 8;
  static constexpr int kOutputSets = Gated ? Sets / 2 : Sets;
  static constexpr int kOutputs = AlongW * kOutputSets * 16;

  // Of the block's outputs, the one that a slot's row is for.
  __device__ static int output(int slot) { return (slot / (16 * Sets) * kOutputSets + slot / 16 % Sets % kOutputSets) * 16 + slot % 16; }
  __device__ static bool is_up(int slot) { return Gated && slot / 16 % Sets >= kOutputSets; }
  // And back; its row of up is kOutputSets · 16 slots further.
  __device__ static int slot(int output) { return (output / (16 * kOutputSets) * Sets + output / 16 % kOutputSets) * 16 + output % 16; }

  __device__ static int warp_w() { return threadIdx.x / kWarpSize % AlongW; }
  __device__ static int warp_x() { return threadIdx.x / kWarpSize / AlongW; }

  // Whether some row of a fragment of this warp exists.
  __device__ static bool exists(int fragment, int rows_left) { return (warp_x() * Fragments + fragment) * 8 < rows_left; }

  // Where a lane's sum lies in shared memory, kThreads · kSums floats in all. Lanes are shifted so that 32 neighbouring outputs of a row
  // are in different banks.
  __device__ static int place(int set, int fragment, int element, int warp, int lane) {
    return ((set * Fragments + fragment) * 4 + element) * kThreads + warp * kWarpSize + (lane + element / 2 + set % 2 * 2) % kWarpSize;
  }

  __device__ static int own_place(int set, int fragment, int element) {
    return place(set, fragment, element, threadIdx.x / kWarpSize, threadIdx.x % kWarpSize);
  }

  // The place of row n of x and a slot: mma leaves rows g and g + 8 and columns 2t and 2t + 1 of a fragment to lane (g, t).
  __device__ static int place_of(int n, int slot) {
    const int warp = n / (Fragments * 8) * AlongW + slot / (16 * Sets);
    return place(slot / 16 % Sets, n / 8 % Fragments, slot % 16 / 8 * 2 + n % 2, warp, slot % 8 * 4 + n % 8 / 2);
  }
};

// Calls action(set, fragment, element) for every sum of a lane.
template <typename Tile, typename Action>
__device__ inline void for_sums(const Action& action) {
#pragma unroll
  for (int s = 0; s < Tile::kSets; ++s) {
#pragma unroll
    for (int f = 0; f < Tile::kFragments; ++f) {
#pragma unroll
      for (int j = 0; j < 4; ++j) action(s, f, j);
    }
  }
}

// Leaves this block's sums of a phase for the last of the blocks that share them. partial [phases, blocks, kSums, kThreads].
template <typename Tile>
__device__ inline void leave_part(float* partial, int phase, int rows_left, const float (&sums)[Tile::kSets][Tile::kFragments][4]) {
  const int block = phase * gridDim.x * gridDim.y + blockIdx.y * gridDim.x + blockIdx.x;
  float* own = partial + static_cast<size_t>(block) * Tile::kSums * Tile::kThreads + threadIdx.x;
  for_sums<Tile>([&](int s, int f, int j) {
    if (Tile::exists(f, rows_left)) own[((s * Tile::kFragments + f) * 4 + j) * Tile::kThreads] = sums[s][f][j];
  });
}

// Whether this block is the last of those that share its results, which then finds all their parts. counters [grid.y, grid.x], left as
// zeros.
__device__ inline bool is_last_part(unsigned* counters, int* shared) {
  __threadfence();
  __syncthreads();
  unsigned* counter = counters + blockIdx.y * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0) *shared = atomicAdd(counter, 1u) == gridDim.z - 1;
  __syncthreads();
  if (!*shared) return false;
  __threadfence();
  if (threadIdx.x == 0) *counter = 0;
  __syncthreads();
  return true;
}

// Adds up the parts of all phases, in their order, into the places of shared memory.
template <typename Tile>
__device__ inline void add_parts(const float* partial, int phases, int rows_left, float* totals) {
  const size_t step = static_cast<size_t>(gridDim.x * gridDim.y) * Tile::kSums * Tile::kThreads;
  const float* own = partial + static_cast<size_t>(blockIdx.y * gridDim.x + blockIdx.x) * Tile::kSums * Tile::kThreads + threadIdx.x;
  for_sums<Tile>([&](int s, int f, int j) {
    if (!Tile::exists(f, rows_left)) return;
    float sum = 0.0f;
#pragma unroll 1
    for (int phase = 0; phase < phases; ++phase) sum += own[phase * step + ((s * Tile::kFragments + f) * 4 + j) * Tile::kThreads];
    totals[Tile::own_place(s, f, j)] = sum;
  });
}

// Stores what lies in the places of shared memory: a group's rows from first_row on (common/expert_rows.cuh), outputs from first_output on.
// Neighbouring threads store neighbouring outputs.
template <typename T, typename Tile, typename Output, typename Params, typename Rows>
__device__ inline void store_tile(const Params& p, const Rows& group, const float* totals, int first_row, int first_output) {
  __syncthreads();
  for (int i = threadIdx.x; i < Tile::kOutputs * Tile::kColumns; i += Tile::kThreads) {
    const int row = i / Tile::kOutputs;
    const int output = i % Tile::kOutputs;
    const int n = first_row + row;
    const int m = first_output + output;
    if (n >= group.end(p) || m >= p.outputs) continue;
    const int slot = Tile::slot(output);
    float value = totals[Tile::place_of(row, slot)];
    float up = 0.0f;
    if constexpr (Output::kGated) up = totals[Tile::place_of(row, slot + Tile::kOutputSets * 16)];
    if (p.bias) {
      value += p.bias[group.weight(p, m, false)];
      if constexpr (Output::kGated) up += p.bias[group.weight(p, m, true)];
    }
    group.template limit<Output>(p, value, up);
    Output::template store<T>(p.y, static_cast<size_t>(n) * p.y_stride + m, value, up);
  }
}

}  // namespace weft
