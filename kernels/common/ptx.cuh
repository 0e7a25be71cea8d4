// The whole hardware surface: every inline-PTX statement of the kernels lives here, so that the software device can replace this one
// file (simulator/include/common/ptx.cuh declares the same functions) and a reader finds every instruction in one place.
// NVRTC rule: device code only, includes nothing.
#pragma once

namespace weft {

struct bf16;
struct f16;

template <typename T>
struct IsBf16 {
  static constexpr bool value = false;
};

template <>
struct IsBf16<bf16> {
  static constexpr bool value = true;
};

namespace ptx {

// The block's dynamic shared memory, all of it. Kernels declare no static __shared__ arrays: with one region whose size the launch
// states, the software device knows its exact bounds.
__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char weft_dynamic_shared[];
  return weft_dynamic_shared;
}

__device__ inline unsigned shared_address(const void* pointer) { return static_cast<unsigned>(__cvta_generic_to_shared(pointer)); }

// --- conversions ---

__device__ inline float f16_to_float(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

// Rounds to nearest, ties to even. What f16 cannot hold becomes its largest value, so that one element that is too large does not make
// infinities of a row; NaN stays NaN.
__device__ inline unsigned short float_to_f16(float value) {
  unsigned short bits;
#if __CUDA_ARCH__ >= 800
  constexpr unsigned short kLargest = 0x7bff, kSmallest = 0xfbff;
  asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; min.NaN.f16 h, h, %2; max.NaN.f16 %0, h, %3; }"
      : "=h"(bits)
      : "f"(value), "h"(kLargest), "h"(kSmallest));
#else
  constexpr float kLargest = 65504.0f;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value > kLargest ? kLargest : value < -kLargest ? -kLargest : value));
#endif
  return bits;
}

// Two values, the first in the low half, that f16 can hold.
__device__ inline unsigned floats_to_f16x2_in_range(float low, float high) {
#if __CUDA_ARCH__ >= 800
  unsigned bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#else
  return static_cast<unsigned>(float_to_f16(low)) | static_cast<unsigned>(float_to_f16(high)) << 16;
#endif
}

// The same of any values.
__device__ inline unsigned floats_to_f16x2(float low, float high) {
  unsigned bits = floats_to_f16x2_in_range(low, high);
#if __CUDA_ARCH__ >= 800
  constexpr unsigned kLargest = 0x7bff7bff, kSmallest = 0xfbfffbff;
  asm("min.NaN.f16x2 %0, %0, %1;" : "+r"(bits) : "r"(kLargest));
  asm("max.NaN.f16x2 %0, %0, %1;" : "+r"(bits) : "r"(kSmallest));
#endif
  return bits;
}

__device__ inline unsigned short float_to_bf16(float value) {
#if __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  const unsigned word = __float_as_uint(value);
  if ((word & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<unsigned short>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
#endif
}

// a − b of two 16-bit values each.
template <typename T>
__device__ unsigned subtract2(unsigned a, unsigned b);

template <>
__device__ inline unsigned subtract2<f16>(unsigned a, unsigned b) {
  unsigned d;
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

#if __CUDA_ARCH__ >= 800
// There is no sub.bf16x2 before sm_90: a − b as b · (−1) + a, one rounding.
template <>
__device__ inline unsigned subtract2<bf16>(unsigned a, unsigned b) {
  unsigned d;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(b), "r"(0xbf80bf80u), "r"(a));
  return d;
}
#endif

// 2^x, about 2 ulp; subnormal results become 0.
__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// --- global memory ---

// 16 bytes that this launch reads once: past L1, with the rest of its 256 bytes fetched into L2. The pointer is aligned to 16 bytes and
// nobody writes there meanwhile.
__device__ inline uint4 load_streaming(const void* global) {
  uint4 v;
#if __CUDA_ARCH__ >= 800
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
#else
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
#endif
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(__cvta_generic_to_global(global)));
  return v;
}

// 16 bytes from global to shared memory without registers; both aligned to 16. Where not valid, zeros are written and global is not
// read. The data is there for this thread after cp_async_wait, for others after a barrier that follows it.
__device__ inline void cp_async_16(void* shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)),
               "r"(valid ? 16 : 0)
               : "memory");
#else
  *static_cast<uint4*>(shared) = valid ? *static_cast<const uint4*>(global) : make_uint4(0, 0, 0, 0);
#endif
}

// The same of 4 bytes, through L1.
__device__ inline void cp_async_4(void* shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)),
               "r"(valid ? 4 : 0)
               : "memory");
#else
  *static_cast<unsigned*>(shared) = valid ? *static_cast<const unsigned*>(global) : 0;
#endif
}

__device__ inline void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most Pending of this thread's committed groups are still under way.
template <int Pending>
__device__ inline void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// --- matrix fragments (PTX ISA, "Matrix Fragments for mma.m16n8k16") ---

// Four 8×8 matrices of 16-bit values: lane 8i + r gives the address of row r of matrix i; fragment[i] receives its two values.
__device__ inline void ldmatrix_x4(unsigned (&fragment)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

// The same with each 8×8 matrix transposed.
__device__ inline void ldmatrix_x4_trans(unsigned (&fragment)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

// d += a · b: a [16, 16] row-major, b [16, 8] column-major, d [16, 8] in float32.
template <typename T>
__device__ void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);

template <>
__device__ inline void mma_m16n8k16<f16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

#if __CUDA_ARCH__ >= 800
// Before sm_80 there is no bf16 mma: the runtime runs f16 there.
template <>
__device__ inline void mma_m16n8k16<bf16>(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// --- products of a warpgroup (sm_90a; PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions") ---
//
// d [64, N] += a [64, 16] · b [16, N] by four warps together: warp w has rows 16w to 16w + 15 in the fragments of mma_m16n8k16, a tile of
// d for eight columns. The product runs on while the warps do other things: between wgmma_begin and wgmma_finish nobody touches d, a or
// the memory of b. b lies in shared memory as 8×8 matrices of 128 bytes: rows n of 8 values along k, or Transposed, rows k of 8 values
// along n.

// What was written to shared memory before is seen by the wgmma of any thread after the next barrier.
__device__ inline void async_proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// The operand b: where it begins, and how far the next 8×8 matrix is along k and along n. All multiples of 16 bytes, below 256 KiB.
__device__ inline unsigned long long shared_matrix(const void* shared, int bytes_along_k, int bytes_along_n) {
  return static_cast<unsigned long long>(shared_address(shared) >> 4) | static_cast<unsigned long long>(bytes_along_k >> 4) << 16 |
         static_cast<unsigned long long>(bytes_along_n >> 4) << 32;
}

// The compiler must not move what touches the registers of a product across its beginning or its end.
template <int Tiles, int Fragments>
__device__ inline void pin(float (*d)[4], unsigned (*a)[4]) {
#pragma unroll
  for (int i = 0; i < Tiles; ++i) asm volatile("" : "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])::"memory");
#pragma unroll
  for (int i = 0; i < Fragments; ++i) asm volatile("" : "+r"(a[i][0]), "+r"(a[i][1]), "+r"(a[i][2]), "+r"(a[i][3])::"memory");
}

// Before the first wgmma on d, a tile of four values for eight columns each, with the fragments a.
template <int Tiles, int Fragments>
__device__ inline void wgmma_begin(float (*d)[4], unsigned (*a)[4]) {
  pin<Tiles, Fragments>(d, a);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// Waits for every wgmma since wgmma_begin: d holds their sum, and a may change.
template <int Tiles, int Fragments>
__device__ inline void wgmma_finish(float (*d)[4], unsigned (*a)[4]) {
  asm volatile("wgmma.commit_group.sync.aligned;\n wgmma.wait_group.sync.aligned 0;" ::: "memory");
  pin<Tiles, Fragments>(d, a);
}

#define WEFT_TILE(d, i) "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
#define WEFT_TILES_2(d, i) WEFT_TILE(d, i), WEFT_TILE(d, i + 1)
#define WEFT_TILES_4(d, i) WEFT_TILES_2(d, i), WEFT_TILES_2(d, i + 2)
#define WEFT_TILES_8(d, i) WEFT_TILES_4(d, i), WEFT_TILES_4(d, i + 4)
// The sums' operand numbers, the other operands', and the sums.
#define WEFT_WGMMA_OF(type, shape, sums, operands, ...)                                                                                \
  asm volatile("{\n .reg .pred add;\n setp.eq.u32 add, 0, 0;\n wgmma.mma_async.sync.aligned." shape "k16.f32." type "." type " {" sums \
               "}, " operands ";\n}"                                                                                                   \
               : __VA_ARGS__                                                                                                           \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(Transposed ? 1 : 0))
#define WEFT_WGMMA(...)                 \
  if constexpr (IsBf16<T>::value)       \
    WEFT_WGMMA_OF("bf16", __VA_ARGS__); \
  else                                  \
    WEFT_WGMMA_OF("f16", __VA_ARGS__)

template <typename T, int N, bool Transposed>
__device__ inline void wgmma_m64k16(float (*d)[4], const unsigned (&a)[4], unsigned long long b) {
  static_assert(N == 16 || N == 32 || N == 64, "columns of one instruction");
  if constexpr (N == 64) {
    WEFT_WGMMA("m64n64",
               "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, "
               "%26, %27, %28, %29, %30, %31",
               "{%32, %33, %34, %35}, %36, add, 1, 1, %37", WEFT_TILES_8(d, 0));
  } else if constexpr (N == 32) {
    WEFT_WGMMA("m64n32", "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15",
               "{%16, %17, %18, %19}, %20, add, 1, 1, %21", WEFT_TILES_4(d, 0));
  } else if constexpr (N == 16) {
    WEFT_WGMMA("m64n16", "%0, %1, %2, %3, %4, %5, %6, %7", "{%8, %9, %10, %11}, %12, add, 1, 1, %13", WEFT_TILES_2(d, 0));
  }
}

#undef WEFT_WGMMA
#undef WEFT_WGMMA_OF
#undef WEFT_TILES_8
#undef WEFT_TILES_4
#undef WEFT_TILES_2
#undef WEFT_TILE

// --- programmatic dependent launch (sm_90): hides the gap between two kernels of a graph ---

// Until the launches before this one have finished and their writes are visible. Weights may be prefetched before it.
__device__ inline void wait_for_previous_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The next launch may start its blocks from here on.
__device__ inline void allow_next_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace ptx
}  // namespace weft
