// Codes of quantized weights as fragments of a tensor core. A tile is 512 bytes, 16 rows of 64 columns (4 bits) or 32 (8 bits); lane (g, t)
// holds the codes of rows g and g + 8 in 16 bytes, and a step of 16 columns takes 4t … 4t + 3 from it where the fragment's layout says {2t,
// 2t + 1, 2t + 8, 2t + 9}: the unit sums in any order, as long as the other operand does the same. docs/format.md has the bits. NVRTC rule:
// device code only.
#pragma once

#include "common/types.cuh"

namespace weft {

constexpr int kTileRows = 16;
constexpr int kTileBytes = 512;
constexpr int kStepColumns = 16;

template <int Bits>
struct Codes {
  static constexpr int kTileColumns = kTileBytes * 8 / (kTileRows * Bits);
  static constexpr int kSteps = kTileColumns / kStepColumns;
};

// A number whose low bits are a code when the code is or-ed into it: 1024 + q in f16, 128 + q in bf16, exact for q < 16.
__device__ inline unsigned magic_of(const f16*) { return 0x64006400u; }
__device__ inline unsigned magic_of(const bf16*) { return 0x43004300u; }
__device__ inline float magic_value(const f16*) { return 1024.0f; }
__device__ inline float magic_value(const bf16*) { return 128.0f; }

// code − zero point of rows g and g + 8 for one step, as the fragment of a.
template <typename T, int Bits>
struct Unpacker;

template <typename T>
struct Unpacker<T, 4> {
  unsigned lower, upper;

  __device__ Unpacker(float lower_zero, float upper_zero)
      : lower(pack2_in_range<T>(magic_value(static_cast<T*>(nullptr)) + lower_zero, magic_value(static_cast<T*>(nullptr)) + lower_zero)),
        upper(pack2_in_range<T>(magic_value(static_cast<T*>(nullptr)) + upper_zero, magic_value(static_cast<T*>(nullptr)) + upper_zero)) {}

  __device__ void unpack(const unsigned (&words)[4], int step, unsigned (&a)[4]) const {
    const unsigned magic = magic_of(static_cast<T*>(nullptr));
    const unsigned word = words[step];
    a[0] = ptx::subtract2<T>((word & 0x000f000fu) | magic, lower);
    a[1] = ptx::subtract2<T>((word >> 4 & 0x000f000fu) | magic, upper);
    a[2] = ptx::subtract2<T>((word >> 8 & 0x000f000fu) | magic, lower);
    a[3] = ptx::subtract2<T>((word >> 12 & 0x000f000fu) | magic, upper);
  }
};

template <typename T>
struct Unpacker<T, 8> {
  float lower, upper;

  __device__ Unpacker(float lower_zero, float upper_zero) : lower(lower_zero), upper(upper_zero) {}

  __device__ void unpack(const unsigned (&words)[4], int step, unsigned (&a)[4]) const {
    const unsigned low = words[2 * step], high = words[2 * step + 1];
    a[0] = pair(low, lower);
    a[1] = pair(high, upper);
    a[2] = pair(low >> 16, lower);
    a[3] = pair(high >> 16, upper);
  }

 private:
  __device__ static unsigned pair(unsigned bytes, float zero) {
    return pack2_in_range<T>(static_cast<float>(bytes & 0xff) - zero, static_cast<float>(bytes >> 8 & 0xff) - zero);
  }
};

// The same where zero points are no codes. Their nearest whole number near the codes goes as a code would, exactly; what is left of them is
// subtracted then, which rounds to T.
template <typename T, int Bits>
struct FractionalUnpacker;

template <typename T>
struct FractionalUnpacker<T, 4> {
  Unpacker<T, 4> whole;
  unsigned lower, upper;

  __device__ FractionalUnpacker(float lower_zero, float upper_zero)
      : whole(nearest(lower_zero), nearest(upper_zero)), lower(rest(lower_zero)), upper(rest(upper_zero)) {}

  __device__ void unpack(const unsigned (&words)[4], int step, unsigned (&a)[4]) const {
    whole.unpack(words, step, a);
#pragma unroll
    for (int i = 0; i < 4; ++i) a[i] = ptx::subtract2<T>(a[i], i % 2 ? upper : lower);
  }

 private:
  __device__ static float nearest(float zero) { return fminf(fmaxf(rintf(zero), -64.0f), 64.0f); }
  __device__ static unsigned rest(float zero) { return pack2_in_range<T>(zero - nearest(zero), zero - nearest(zero)); }
};

// Eight bits become numbers in float32, where a zero point may be any.
template <typename T>
struct FractionalUnpacker<T, 8> : Unpacker<T, 8> {
  using Unpacker<T, 8>::Unpacker;
};

// A quantized matrix on the device.
struct QuantizedWeight {
  const uint4* codes;                // [row blocks, tiles, 32 lanes]
  const unsigned short* scales;      // f16 [row blocks, groups, 16]; bytes where the codes' meaning says so
  const unsigned char* zero_points;  // [row blocks, groups, 16], or null: half the codes; f16 where the codes' meaning says so
  const int* order;                  // [K] the input's column that each stored one multiplies, or null: the same
  int tiles;
  int groups;
  int group_size;

  __device__ int group_of(int column) const { return min(column / group_size, groups - 1); }

  __device__ float scale(int block, int group, int row) const {
    return ptx::f16_to_float(scales[(static_cast<size_t>(block) * groups + group) * kTileRows + row]);
  }

  template <int Bits>
  __device__ float zero(int block, int group, int row) const {
    return zero_points ? static_cast<float>(zero_points[(static_cast<size_t>(block) * groups + group) * kTileRows + row])
                       : static_cast<float>(1 << (Bits - 1));
  }
};

// What codes of integers stand for: (code − zero point) · scale, with f16 scales.
template <typename T, int Bits>
struct AffineMeaning {
  using Numbers = Unpacker<T, Bits>;

  __device__ static float zero(const QuantizedWeight& w, int block, int group, int row) { return w.template zero<Bits>(block, group, row); }
  __device__ static Numbers unpacker(const QuantizedWeight& w, int block, int group, int row) {
    return {zero(w, block, group, row), zero(w, block, group, row + 8)};
  }
  __device__ static float scale(const QuantizedWeight& w, int block, int group, int row) { return w.scale(block, group, row); }
};

// The same with zero points that count in f16 from half the codes.
template <typename T, int Bits>
struct FractionalMeaning {
  using Numbers = FractionalUnpacker<T, Bits>;

  __device__ static float zero(const QuantizedWeight& w, int block, int group, int row) {
    const auto* from_middle = reinterpret_cast<const unsigned short*>(w.zero_points);
    return static_cast<float>(1 << (Bits - 1)) + ptx::f16_to_float(from_middle[(static_cast<size_t>(block) * w.groups + group) * kTileRows + row]);
  }
  __device__ static Numbers unpacker(const QuantizedWeight& w, int block, int group, int row) {
    return {zero(w, block, group, row), zero(w, block, group, row + 8)};
  }
  __device__ static float scale(const QuantizedWeight& w, int block, int group, int row) { return w.scale(block, group, row); }
};

// Numbers of 4 bits, s e e m, of which 32 share a power of two, stored as its exponent + 127 (OCP Microscaling Formats v1.0, 2023).
template <typename T, int Bits>
struct Mxfp4Meaning {
  static_assert(Bits == 4, "a code has 4 bits");

  struct Numbers {
    __device__ void unpack(const unsigned (&words)[4], int step, unsigned (&a)[4]) const {
#pragma unroll
      for (int i = 0; i < 4; ++i) a[i] = pack2_in_range<T>(number(words[step] >> 4 * i), number(words[step] >> (16 + 4 * i)));
    }

   private:
    __device__ static float number(unsigned code) {
      const unsigned magnitude = code & 7;
      const unsigned small = magnitude ? 0x3f000000u : 0u;  // 0.5 or 0: their exponent is that of 1, without its leading bit
      return __uint_as_float((code & 8) << 28 | (magnitude < 2 ? small : (magnitude << 22) + 0x3f000000u));
    }
  };

  __device__ static Numbers unpacker(const QuantizedWeight&, int, int, int) { return {}; }

  __device__ static float scale(const QuantizedWeight& w, int block, int group, int row) {
    const unsigned exponent =
        reinterpret_cast<const unsigned char*>(w.scales)[(static_cast<size_t>(block) * w.groups + group) * kTileRows + row];
    return __uint_as_float(exponent ? exponent << 23 : 0x00400000u);
  }
};

}  // namespace weft
