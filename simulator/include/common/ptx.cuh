// The hardware surface of kernels/common/ptx.cuh on the software device: the same functions, with the semantics that the PTX ISA gives
// the instructions, made strict. The simulated NVRTC puts this file in the other's place.
#pragma once

namespace weft {

struct bf16;
struct f16;

namespace ptx {

inline unsigned char* dynamic_shared() { return cudasim::self()->shared; }

inline unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(static_cast<const unsigned char*>(pointer) - cudasim::self()->shared);
}

inline float f16_to_float(unsigned short bits) {
  _Float16 value;
  memcpy(&value, &bits, 2);
  return static_cast<float>(value);
}

inline unsigned short float_to_f16(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  unsigned short bits;
  memcpy(&bits, &half, 2);
  return bits;
}

inline unsigned short float_to_bf16(float value) {
  const unsigned word = __float_as_uint(value);
  if ((word & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<unsigned short>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

namespace detail {

inline float half_of(const bf16*, unsigned pair, int i) { return __uint_as_float((pair >> (16 * i)) << 16); }
inline float half_of(const f16*, unsigned pair, int i) { return f16_to_float(static_cast<unsigned short>(pair >> (16 * i))); }
inline unsigned short half_from(const bf16*, float value) { return float_to_bf16(value); }
inline unsigned short half_from(const f16*, float value) { return float_to_f16(value); }

}  // namespace detail

template <typename T>
inline unsigned subtract2(unsigned a, unsigned b) {
  T* const type = nullptr;
  const auto difference = [&](int i) {
    return static_cast<unsigned>(detail::half_from(type, detail::half_of(type, a, i) - detail::half_of(type, b, i)));
  };
  return difference(0) | difference(1) << 16;
}

inline float exp2_approx(float x) {
  const float y = exp2f(x);
  return y < 1.17549435e-38f ? 0.0f : y;
}

inline uint4 load_streaming(const void* global, cudasim::Place at = cudasim::Place::here()) {
  cudasim::check_aligned(global, 16, at);
  return *static_cast<const uint4*>(global);
}

// The bytes arrive when the thread waits for them; until then the target is poison.
inline void cp_async_16(void* shared, const void* global, bool valid, cudasim::Place at = cudasim::Place::here()) {
  cudasim::check_aligned(shared, 16, at);
  cudasim::check_shared(shared, 16, at);
  if (valid) {
    cudasim::check_aligned(global, 16, at);
    static_cast<void>(*static_cast<const volatile unsigned char*>(global));
  }
  auto* state = cudasim::self();
  if (state->copies == cudasim::kMaxCopies) cudasim::fail("too many asynchronous copies are under way", at);
  state->copy[state->copies++] = {shared, global, state->group, valid};
  memset(shared, 0xff, 16);
}

inline void cp_async_commit() { cudasim::self()->group++; }

template <int Pending>
inline void cp_async_wait() {
  auto* state = cudasim::self();
  int kept = 0;
  for (int i = 0; i < state->copies; ++i) {
    const auto& copy = state->copy[i];
    if (copy.group >= state->group - Pending) {
      state->copy[kept++] = copy;
    } else if (copy.valid) {
      memcpy(copy.target, copy.source, 16);
    } else {
      memset(copy.target, 0, 16);
    }
  }
  state->copies = kept;
}

namespace detail {

struct LoadMatrix {
  const unsigned short* row;
  unsigned* fragment;
};

template <bool Transposed>
inline void ldmatrix(unsigned (&fragment)[4], const void* shared_row, cudasim::Place at) {
  cudasim::check_aligned(shared_row, 16, at);
  cudasim::check_shared(shared_row, 16, at);
  LoadMatrix operands{static_cast<const unsigned short*>(shared_row), fragment};
  cudasim::warp_operation(
      0xffffffffu,
      [](cudasim::ThreadState** lanes) {
        for (int i = 0; i < 4; ++i) {
          const unsigned short* rows[8];
          for (int r = 0; r < 8; ++r) rows[r] = static_cast<LoadMatrix*>(lanes[8 * i + r]->operands)->row;
          for (int lane = 0; lane < 32; ++lane) {
            const int a = lane / 4, b = lane % 4 * 2;
            const unsigned low = Transposed ? rows[b][a] : rows[a][b];
            const unsigned high = Transposed ? rows[b + 1][a] : rows[a][b + 1];
            static_cast<LoadMatrix*>(lanes[lane]->operands)->fragment[i] = low | high << 16;
          }
        }
      },
      &operands, at);
}

struct MultiplyAdd {
  float* d;
  const unsigned* a;
  unsigned b[2];
};

template <typename T>
inline void mma(cudasim::ThreadState** lanes) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& own = *static_cast<MultiplyAdd*>(lanes[lane]->operands);
    const int group = lane / 4, pair = lane % 4 * 2;
    for (int i = 0; i < 2; ++i) {
      a[group][pair + i] = half_of(static_cast<T*>(nullptr), own.a[0], i);
      a[group + 8][pair + i] = half_of(static_cast<T*>(nullptr), own.a[1], i);
      a[group][pair + 8 + i] = half_of(static_cast<T*>(nullptr), own.a[2], i);
      a[group + 8][pair + 8 + i] = half_of(static_cast<T*>(nullptr), own.a[3], i);
      b[pair + i][group] = half_of(static_cast<T*>(nullptr), own.b[0], i);
      b[pair + 8 + i][group] = half_of(static_cast<T*>(nullptr), own.b[1], i);
    }
  }
  float sums[16][8] = {};
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column) sums[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& own = *static_cast<MultiplyAdd*>(lanes[lane]->operands);
    const int group = lane / 4, pair = lane % 4 * 2;
    own.d[0] += sums[group][pair];
    own.d[1] += sums[group][pair + 1];
    own.d[2] += sums[group + 8][pair];
    own.d[3] += sums[group + 8][pair + 1];
  }
}

}  // namespace detail

inline void ldmatrix_x4(unsigned (&fragment)[4], const void* shared_row, cudasim::Place at = cudasim::Place::here()) {
  detail::ldmatrix<false>(fragment, shared_row, at);
}

inline void ldmatrix_x4_trans(unsigned (&fragment)[4], const void* shared_row, cudasim::Place at = cudasim::Place::here()) {
  detail::ldmatrix<true>(fragment, shared_row, at);
}

template <typename T>
inline void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, cudasim::Place at = cudasim::Place::here()) {
  detail::MultiplyAdd operands{d, a, {b0, b1}};
  cudasim::warp_operation(0xffffffffu, detail::mma<T>, &operands, at);
}

inline void wait_for_previous_launch() {}
inline void allow_next_launch() {}

}  // namespace ptx
}  // namespace weft
