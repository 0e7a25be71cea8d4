// The states of recurrent blocks: where a sequence's is before a step, after it, and where copies of it go on the way. NVRTC rule: device
// code only.
#pragma once

#include "common/types.cuh"

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
};

}  // namespace weft
