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
  constexpr float kLargest = 65504.0f;
  const _Float16 half = static_cast<_Float16>(value > kLargest ? kLargest : value < -kLargest ? -kLargest : value);
  unsigned short bits;
  memcpy(&bits, &half, 2);
  return bits;
}

inline unsigned floats_to_f16x2(float low, float high) {
  return static_cast<unsigned>(float_to_f16(low)) | static_cast<unsigned>(float_to_f16(high)) << 16;
}

inline unsigned floats_to_f16x2_in_range(float low, float high) { return floats_to_f16x2(low, high); }

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

namespace detail {

// The bytes arrive when the thread waits for them; until then the target is poison.
template <int Bytes>
inline void copy_async(void* shared, const void* global, bool valid, cudasim::Place at) {
  cudasim::check_aligned(shared, Bytes, at);
  cudasim::check_shared(shared, Bytes, at);
  if (valid) {
    cudasim::check_aligned(global, Bytes, at);
    const cudasim::Uncounted device;
    static_cast<void>(*static_cast<const volatile unsigned char*>(global));
  }
  if (valid) cudasim::count_access(global, Bytes, at);
  cudasim::count_access(shared, Bytes, at);
  const cudasim::Uncounted device;
  auto* state = cudasim::self();
  if (state->copies == cudasim::kMaxCopies) cudasim::fail("too many asynchronous copies are under way", at);
  state->pending->copy[state->copies++] = {shared, global, state->group, valid, Bytes};
  memset(shared, 0xff, Bytes);
}

}  // namespace detail

inline void cp_async_16(void* shared, const void* global, bool valid, cudasim::Place at = cudasim::Place::here()) {
  detail::copy_async<16>(shared, global, valid, at);
}

inline void cp_async_4(void* shared, const void* global, bool valid, cudasim::Place at = cudasim::Place::here()) {
  detail::copy_async<4>(shared, global, valid, at);
}

inline void cp_async_commit() { cudasim::self()->group++; }

template <int Pending>
inline void cp_async_wait() {
  const cudasim::Uncounted device;
  auto* state = cudasim::self();
  int kept = 0;
  for (int i = 0; i < state->copies; ++i) {
    const auto& copy = state->pending->copy[i];
    if (copy.group >= state->group - Pending) {
      state->pending->copy[kept++] = copy;
      continue;
    }
    state->unpublished = true;
    if (copy.valid)
      memcpy(copy.target, copy.source, copy.bytes);
    else
      memset(copy.target, 0, copy.bytes);
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
  cudasim::count_access(shared_row, 16, at);
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
  if (cudasim::kCounting) lanes[0]->runtime->multiply(lanes[0], 2 * 16 * 8 * 16);
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

// --- products of a warpgroup: they happen in wgmma_finish, from what shared memory then holds; until then the sums are poison ---

inline void async_proxy_fence() { cudasim::self()->unpublished = false; }

inline unsigned long long shared_matrix(const void* shared, int bytes_along_k, int bytes_along_n,
                                        cudasim::Place at = cudasim::Place::here()) {
  const unsigned first = shared_address(shared);
  if ((first | static_cast<unsigned>(bytes_along_k) | static_cast<unsigned>(bytes_along_n)) % 16 != 0)
    cudasim::fail("a matrix in shared memory begins or steps at no multiple of 16 bytes", at, 716);
  return static_cast<unsigned long long>(first >> 4) | static_cast<unsigned long long>(bytes_along_k >> 4) << 16 |
         static_cast<unsigned long long>(bytes_along_n >> 4) << 32;
}

template <int Tiles, int Fragments>
inline void wgmma_begin(float (*d)[4], unsigned (*)[4], cudasim::Place at = cudasim::Place::here()) {
  static_assert(Tiles <= cudasim::kMaxTiles, "sums of one thread");
  auto* state = cudasim::self();
  if (state->block_dim.x % 128 != 0) cudasim::fail("a wgmma in a block that is not made of whole warpgroups", at);
  if (state->unpublished) cudasim::fail("a wgmma before a fence has shown the asynchronous proxy what was copied", at);
  if (state->tiles != 0) cudasim::fail("a second wgmma_begin before wgmma_finish", at);
  state->tiles = Tiles;
  memcpy(state->pending->kept, d, sizeof(float[Tiles][4]));
  memset(d, 0xff, sizeof(float[Tiles][4]));
}

template <typename T, int N, bool Transposed>
inline void wgmma_m64k16(float (*d)[4], const unsigned (&a)[4], unsigned long long b, cudasim::Place at = cudasim::Place::here()) {
  auto* state = cudasim::self();
  if (state->tiles == 0) cudasim::fail("a wgmma before wgmma_begin", at);
  if (state->products == cudasim::kMaxProducts) cudasim::fail("too many wgmma are under way", at);
  const auto decode = [](unsigned short bits) { return detail::half_of(static_cast<T*>(nullptr), bits, 0); };
  state->pending->product[state->products++] = {d, {a[0], a[1], a[2], a[3]}, decode, b, N, Transposed};
}

namespace detail {

// The warp's sixteen rows of product p, which all lanes gave alike.
inline void multiply(cudasim::ThreadState** lanes, int p, cudasim::Place at) {
  const auto* first = lanes[0];
  const auto& product = first->pending->product[p];
  if (cudasim::kCounting) first->runtime->multiply(lanes[0], 2ull * 16 * 16 * static_cast<unsigned>(product.columns));
  float a[16][16], b[16];  // a by column, so that the sums of all rows grow side by side
  for (int lane = 0; lane < 32; ++lane) {
    const auto& own = lanes[lane]->pending->product[p];
    if (lanes[lane]->products != first->products || own.b != product.b || own.columns != product.columns)
      first->runtime->fail(lanes[lane], "the lanes of a warp give different wgmma", at, 719);
    for (int i = 0; i < 8; ++i)
      a[lane % 4 * 2 + i / 4 * 8 + i % 2][lane / 4 + i / 2 % 2 * 8] =
          product.decode(static_cast<unsigned short>(own.a[i / 2] >> (i % 2 * 16)));
  }
  const size_t start = product.b << 4 & 0x3fff0, along_k = product.b >> 12 & 0x3fff0, along_n = product.b >> 28 & 0x3fff0;
  const auto columns = static_cast<unsigned>(product.columns);
  if (start + along_k + (columns / 8 - 1) * along_n + 128 > first->shared_bytes)
    first->runtime->fail(lanes[0], "a matrix of a wgmma lies outside the block's shared memory", at, 700);
  for (unsigned n = 0; n < columns; ++n) {
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned element = product.transposed ? k % 8 * 16 + n % 8 * 2 : n % 8 * 16 + k % 8 * 2;
      unsigned short bits;
      memcpy(&bits, first->shared + start + k / 8 * along_k + n / 8 * along_n + element, 2);
      b[k] = product.decode(bits);
    }
    float sums[16] = {};
    for (int k = 0; k < 16; ++k)
      for (int row = 0; row < 16; ++row) sums[row] += a[k][row] * b[k];
    for (unsigned row = 0; row < 16; ++row)
      lanes[row % 8 * 4 + n % 8 / 2]->pending->product[p].sums[n / 8][row / 8 * 2 + n % 2] += sums[row];
  }
}

}  // namespace detail

template <int Tiles, int Fragments>
inline void wgmma_finish(float (*d)[4], unsigned (*)[4], cudasim::Place at = cudasim::Place::here()) {
  auto* state = cudasim::self();
  if (state->tiles != Tiles) cudasim::fail("a wgmma_finish without its wgmma_begin", at);
  memcpy(d, state->pending->kept, sizeof(float[Tiles][4]));
  cudasim::warp_operation(
      0xffffffffu,
      [](cudasim::ThreadState** lanes) {
        for (int p = 0; p < lanes[0]->products; ++p) detail::multiply(lanes, p, lanes[0]->at);
      },
      nullptr, at);
  state->products = state->tiles = 0;
}

inline void wait_for_previous_launch() {}
inline void allow_next_launch() {}

}  // namespace ptx
}  // namespace weft
