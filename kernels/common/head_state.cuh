// A head's state S [D, D] in registers, for recurrences whose state is a matrix of each head. NVRTC rule: device code only.
//
// A thread has four columns of eight rows, so that what a token brings for a row is read from shared memory once for four columns; `lanes`
// neighbouring lanes, a power of two from 8 on with 8 · lanes ≥ D, share four columns, and sums over rows are shuffles among them. A block
// has 4 · 128 / lanes columns. Tokens are staged 64 / lanes at a time: each thread then brings four rows of one token of every input, and
// prepares them where they are, because nobody else has seen them yet.
#pragma once

#include "common/reduce.cuh"
#include "common/state.cuh"

namespace weft {

constexpr int kHeadThreads = 128;
constexpr int kHeadBlocks = 4;  // of a multiprocessor: 128 registers a thread
constexpr int kHeadColumns = 4;
constexpr int kHeadRows = 8;
constexpr int kHeadPair = 2;  // tokens whose sums are added up together
constexpr int kHeadQuad = 4;  // neighbouring rows, which move together
constexpr int kHeadStaged = kHeadThreads / 2;

struct HeadState {
  const State& state;
  const int size;  // D, a multiple of 4
  const int lanes;
  const int lane;     // among those with the same columns
  const int rows;     // D and the zeros beyond it
  const int columns;  // of a block
  const int tokens;   // staged at a time
  const int head;
  const int column;        // the first of this thread's, of the head
  const int local;         // the same, of the block
  const int staged_token;  // what this thread stages
  const int staged_row;
  float s[kHeadRows][kHeadColumns];

  __device__ HeadState(const State& state, int size, int lanes)
      : state(state),
        size(size),
        lanes(lanes),
        lane(threadIdx.x % lanes),
        rows(kHeadRows * lanes),
        columns(kHeadThreads / lanes * kHeadColumns),
        tokens(kHeadStaged / lanes),
        head(blockIdx.x / blocks()),
        column(blockIdx.x % blocks() * columns + threadIdx.x / lanes * kHeadColumns),
        local(threadIdx.x / lanes * kHeadColumns),
        staged_token(threadIdx.x / (2 * lanes)),
        staged_row(threadIdx.x % (2 * lanes) * kHeadQuad) {}

  // Of this thread's row i.
  __device__ int row(int i) const { return (i / kHeadQuad * lanes + lane) * kHeadQuad + i % kHeadQuad; }

  __device__ void load() {
#pragma unroll
    for (int i = 0; i < kHeadRows; ++i) state.load4(place(i), holds(i), s[i]);
  }

  __device__ void store(int slot) const {
#pragma unroll
    for (int i = 0; i < kHeadRows; ++i) state.store4(slot, place(i), holds(i), s[i]);
  }

  // Takes the sequence's tokens through the recurrence. input.stage(n, stage) begins the copies of this thread's part of the tokens from n
  // on, input.prepare(stage) finishes them, and input.step(*this, stage, t, sums) adds token t to the state and its columns' results to
  // sums. numbers: floats of a staged token.
  template <typename Input>
  __device__ void run(const Input& input, int numbers, float* y, int y_stride) {
    load();
    float* stages = reinterpret_cast<float*>(ptx::dynamic_shared());
    if (state.first < state.end) input.stage(*this, state.first, stages);
    ptx::cp_async_commit();
    int turn = 0;
    for (int n = state.first; n < state.end; n += tokens, turn ^= 1) {
      float* stage = stages + turn * tokens * numbers;
      const Snapshots snapshots(state, n);
      ptx::cp_async_wait<0>();
      input.prepare(*this, stage);
      // From here on everybody is done with the other stage.
      __syncthreads();
      if (n + tokens < state.end) input.stage(*this, n + tokens, stages + (turn ^ 1) * tokens * numbers);
      ptx::cp_async_commit();
      const int count = min(tokens, state.end - n);
      for (int t = 0; t < count; t += kHeadPair) {
        float sums[kHeadPair * kHeadColumns] = {};
#pragma unroll
        for (int i = 0; i < kHeadPair; ++i) {
          if (t + i >= count) break;
          input.step(*this, stage + (t + i) * numbers, sums + i * kHeadColumns);
          const int copy = snapshots.after(t + i);
          if (copy >= 0) store(copy);
        }
        const float sum = reduce_scatter(sums, lane, lanes);
        const int own = scattered<kHeadPair * kHeadColumns>(lane);
        const int token = t + own / kHeadColumns;
        const int j = column + own % kHeadColumns;
        if (lane < kHeadPair * kHeadColumns && token < count && column < size)
          y[static_cast<size_t>(n + token) * y_stride + head * size + j] = sum;
      }
    }
    store(state.slot);
  }

  // Begins the copy of this thread's part of an input's rows, x [N, stride].
  __device__ void stage_rows(float* target, int numbers, const float* x, int n, int stride) const {
    const bool valid = n + staged_token < state.end && staged_row < size;
    ptx::cp_async_16(target + staged_token * numbers + staged_row,
                     x + static_cast<size_t>(n + staged_token) * stride + head * size + staged_row, valid);
  }

  // The same of its columns.
  __device__ void stage_columns(float* target, int numbers, const float* x, int n, int stride) const {
    const int vectors = columns / kHeadQuad;
    const int t = threadIdx.x / vectors;
    if (t >= tokens) return;
    const int c = threadIdx.x % vectors * kHeadQuad;
    const int j = column - local + c;
    ptx::cp_async_16(target + t * numbers + c, x + static_cast<size_t>(n + t) * stride + head * size + j, n + t < state.end && j < size);
  }

 private:
  // Of a head.
  __device__ int blocks() const { return (size + columns - 1) / columns; }

  // How many numbers of its row i this thread has.
  __device__ int holds(int i) const { return row(i) < size && column < size ? kHeadColumns : 0; }

  __device__ int place(int i) const { return (head * size + row(i)) * size + column; }
};

}  // namespace weft
