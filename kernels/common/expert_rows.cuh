// Which rows of x a block multiplies with which rows of W: all rows with the one matrix that there is (OneMatrix), or those of one expert
// with its own (ExpertRows). Products take either as a template parameter, so that a row's sums are in the same order in both. NVRTC rule:
// device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

struct OneMatrix {
  static constexpr bool kKnownAhead = true;  // the rows of W do not depend on a launch before

  template <typename Params>
  struct With : Params {};

  template <typename Params>
  __device__ OneMatrix(const Params&, int) {}

  __device__ bool empty() const { return false; }
  template <typename Params>
  __device__ int first(const Params&, int block, int columns) const {
    return block * columns;
  }
  template <typename Params>
  __device__ int end(const Params& p) const {
    return p.rows;
  }
  // Row of x for row n of y.
  template <typename Params>
  __device__ int source(const Params&, int n) const {
    return n;
  }
  // Row of W, and of its bias, for output m: of gate, or of up.
  template <typename Params>
  __device__ int weight(const Params& p, int m, bool up) const {
    return m + (up ? p.outputs : 0);
  }
  template <typename Output, typename Params>
  __device__ static void limit(const Params&, float&, float&) {}
};

// Neighbouring assignments of one expert, at most as many as a block multiplies at once.
struct ExpertTile {
  int expert;
  int first;
  int count;  // 0: there is nothing to do
  int unused;
};

// Experts' rows of W lie one expert after the other, all of gate before all of up. Row n of y is assignment n.
struct ExpertRows {
  static constexpr bool kKnownAhead = false;

  template <typename Params>
  struct With : Params {
    const ExpertTile* tiles;  // one a block along grid.y
    const int* sources;       // [assignments] row of x; null: the assignment's own
    int experts;
    float limit;  // of gates and ups, where the output asks for it
  };

  template <typename Params>
  __device__ ExpertRows(const Params& p, int block) {
    ptx::wait_for_previous_launch();
    tile = p.tiles[block];
  }

  __device__ bool empty() const { return tile.count == 0; }
  template <typename Params>
  __device__ int first(const Params&, int, int) const {
    return tile.first;
  }
  template <typename Params>
  __device__ int end(const Params&) const {
    return tile.first + tile.count;
  }
  template <typename Params>
  __device__ int source(const Params& p, int n) const {
    return p.sources ? p.sources[n] : n;
  }
  template <typename Params>
  __device__ int weight(const Params& p, int m, bool up) const {
    return ((up ? p.experts : 0) + tile.expert) * p.outputs + m;
  }
  template <typename Output, typename Params>
  __device__ static void limit(const Params& p, float& gate, float& up) {
    if constexpr (Output::kLimited) {
      gate = fminf(gate, p.limit);
      up = fminf(fmaxf(up, -p.limit), p.limit) + 1.0f;
    }
  }

 private:
  ExpertTile tile;
};

}  // namespace weft
