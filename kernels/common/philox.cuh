// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the same numbers as Weft.Sampling.Philox.
// NVRTC rule: device code only.
#pragma once

namespace weft {

// The upper 53 bits of the random words of counter `step` under the key `seed`: a uniform number times 2⁵³.
__device__ inline unsigned long long philox_53(unsigned long long seed, unsigned long long step) {
  unsigned c0 = static_cast<unsigned>(step), c1 = static_cast<unsigned>(step >> 32), c2 = 0, c3 = 0;
  unsigned k0 = static_cast<unsigned>(seed), k1 = static_cast<unsigned>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long even = 0xD2511F53ull * c0;
    const unsigned long long odd = 0xCD9E8D57ull * c2;
    c0 = static_cast<unsigned>(odd >> 32) ^ c1 ^ k0;
    c1 = static_cast<unsigned>(odd);
    c2 = static_cast<unsigned>(even >> 32) ^ c3 ^ k1;
    c3 = static_cast<unsigned>(even);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (static_cast<unsigned long long>(c1) << 32 | c0) >> 11;
}

}  // namespace weft
