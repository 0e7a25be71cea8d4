// The states of recurrent blocks: where a sequence's is before a step, after it, and where copies of it go on the way. NVRTC rule: device
// code only.
#pragma once

#include "common/vec.cuh"

namespace weft {

// A state is `stride` numbers, of which a kernel's own begin at `offset`. One sequence a blockIdx.y; places after the last sequence have
// slot −1.
struct StateParams {
  float* states;         // [slots, stride]
  const int* slots;      // [B] after the step
  const int* sources;    // [B] before it; −1 for a sequence that begins
  const int* starts;     // [B + 1] first token of each
  const int* snapshots;  // [N] slot of a copy after the token; −1 for none
  long long stride;
  int offset;
};

struct State {
  const StateParams& p;
  const int slot;
  const int source;
  const int first;
  const int end;

  __device__ explicit State(const StateParams& params)
      : p(params), slot(p.slots[blockIdx.y]), source(p.sources[blockIdx.y]), first(p.starts[blockIdx.y]), end(p.starts[blockIdx.y + 1]) {}

  __device__ bool is_empty() const { return slot < 0; }

  __device__ float* at(int slot_number) const { return p.states + slot_number * p.stride + p.offset; }

  // Number i of the state before the step.
  __device__ float before(int i, float initial = 0.0f) const { return source < 0 ? initial : at(source)[i]; }

  // Four numbers from i on, of which `count` are there; the others are zeros.
  __device__ void load4(int i, int count, float (&v)[4]) const {
    const float* from = at(source) + i;
    if (source >= 0 && is_vector(from, count)) {
      weft::load4(from, v);
      return;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) v[j] = source >= 0 && j < count ? from[j] : 0.0f;
  }

  // Writes those that are there to a slot.
  __device__ void store4(int slot_number, int i, int count, const float (&v)[4]) const {
    float* to = at(slot_number) + i;
    if (is_vector(to, count)) {
      weft::store4(to, v);
      return;
    }
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (j < count) to[j] = v[j];
  }

 private:
  // Parts of a state begin at multiples of 16 bytes, but its rows may have any length.
  __device__ static bool is_vector(const float* four, int count) { return count >= 4 && reinterpret_cast<size_t>(four) % 16 == 0; }
};

// Where copies go after up to 32 tokens from `first` on: lane t of a warp asks for token t, so that nobody waits for memory between tokens.
struct Snapshots {
  int own;

  __device__ Snapshots(const State& state, int first) {
    const int n = first + threadIdx.x % kWarpSize;
    own = n < state.end ? state.p.snapshots[n] : -1;
  }

  // Slot of the copy after token first + t, or −1. All lanes ask together.
  __device__ int after(int t) const { return __shfl_sync(kFullMask, own, t); }
};

}  // namespace weft
