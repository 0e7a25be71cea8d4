// Draws one token a row from its logits, as Weft.Sampling.Sampler does: penalties, temperature, top-k, top-p, min-p, then the inverse of
// the cumulative distribution in order of token ids at the number that Philox gives for (seed, step).
//   logits  [R, stride] float32, changed in place       options [R]
//   seen    [rows of options, V] 16 bits: the top one for a token of prompt or output, the others how often it was generated
//   tokens  [R]; negative for a row of which none can be drawn; that of a row without options stays as it is
// One block a row. Weights are integers, exp(s − max) · 2³², so that sums do not depend on the order in which threads add them. What top-k
// and top-p keep is a prefix of the tokens in order of falling logit and, among equals, rising id: its end is found by a radix select over
// the bits of the logits (three histograms), without sorting.
#include "common/philox.cuh"
#include "common/reduce.cuh"

namespace weft {

struct SamplingOptions {
  unsigned long long seed;
  unsigned long long step;
  float temperature;  // 0: greedy; negative: the row is not drawn from
  float top_p;
  float min_p;
  float repetition_penalty;
  float presence_penalty;
  float frequency_penalty;
  int top_k;   // 0: off
  int counts;  // row of `seen`, or −1: no penalties
};

struct SamplingParams {
  float* logits;
  const SamplingOptions* options;
  unsigned short* seen;
  int* tokens;
  int vocabulary;
  int stride;
};

constexpr int kSampleThreads = 512;
constexpr int kSampleWarps = kSampleThreads / kWarpSize;
constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;
constexpr unsigned kSign = 0x80000000u;
constexpr unsigned short kSeen = 0x8000;

// Twins of Weft.Sampling.Undrawable.
constexpr int kNotANumber = -1;
constexpr int kInfinite = -2;
constexpr int kForbidden = -3;

using Weight = unsigned long long;

// An integer that orders as the float does; −0 and 0 are one.
__device__ inline unsigned order_of(float x) {
  const unsigned bits = __float_as_uint(x + 0.0f);
  return bits & kSign ? ~bits : bits | kSign;
}

__device__ inline float of_order(unsigned order) { return __uint_as_float(order & kSign ? order ^ kSign : ~order); }

struct Row {
  float* logits;
  int vocabulary;
  float max;
  float inverse_temperature;
  Weight* histogram;  // [kDigits]
  Weight* scratch;    // [kSampleWarps + 2]

  // 2³² for the most probable token; tokens below 2⁻³² of it weigh nothing.
  __device__ Weight weight(float logit) const { return static_cast<Weight>(expf((logit - max) * inverse_temperature) * 4294967296.0f); }
};

__device__ inline Weight block_sum(Weight value, Weight* scratch) {
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kFullMask, value, offset);
  if (threadIdx.x % kWarpSize == 0) scratch[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  Weight total = 0;
  for (int warp = 0; warp < kSampleWarps; ++warp) total += scratch[warp];
  __syncthreads();
  return total;
}

// The sum of all threads before this one.
__device__ inline Weight block_before(Weight value, Weight* scratch) {
  const int lane = threadIdx.x % kWarpSize;
  Weight sum = value;
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const Weight other = __shfl_up_sync(kFullMask, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (lane == kWarpSize - 1) scratch[threadIdx.x / kWarpSize] = sum;
  __syncthreads();
  Weight before = sum - value;
  for (int warp = 0; warp < static_cast<int>(threadIdx.x) / kWarpSize; ++warp) before += scratch[warp];
  __syncthreads();
  return before;
}

// The index of the thread in whose value the cumulative sum passes `target`, which it does in one.
__device__ inline int find(Weight value, Weight target, int index, Weight* scratch) {
  const Weight before = block_before(value, scratch);
  if (value > 0 && before <= target && target < before + value) scratch[kSampleWarps] = static_cast<Weight>(index);
  __syncthreads();
  return static_cast<int>(scratch[kSampleWarps]);
}

// Reduces the logits from `bound` on to the shortest prefix, by falling logit and rising id, that measures at least `target`; a token
// measures its weight, or 1 when counting. Returns the new bound; equals of the last logit that come too late become −∞.
template <bool Counting>
__device__ float reduce_to(const Row& row, float bound, Weight target) {
  Weight before = 0;
  unsigned prefix = 0;
  for (int below = 32; below > 0;) {
    const int bits = min(kDigitBits, below);
    below -= bits;
    for (int i = threadIdx.x; i < kDigits; i += kSampleThreads) row.histogram[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < row.vocabulary; i += kSampleThreads) {
      const float logit = row.logits[i];
      if (!(logit >= bound)) continue;
      const unsigned order = order_of(logit);
      if (below + bits < 32 && order >> (below + bits) != prefix) continue;
      atomicAdd(&row.histogram[order >> below & (kDigits - 1) & ((1u << bits) - 1)], Counting ? Weight{1} : row.weight(logit));
    }
    __syncthreads();

    // Digits from the highest down, some a thread; the last digit with a measure takes what rounding leaves beyond the sum.
    constexpr int kEach = kDigits / kSampleThreads;
    const int high = kDigits - 1 - kEach * static_cast<int>(threadIdx.x);
    Weight own = 0;
    for (int i = 0; i < kEach; ++i) own += row.histogram[high - i];
    Weight sum = block_before(own, row.scratch);
    const Weight total = block_sum(own, row.scratch);
    const Weight wanted = total <= target - before ? total - 1 : target - before - 1;
    for (int i = 0; i < kEach; ++i) {
      const Weight measure = row.histogram[high - i];
      if (measure > 0 && sum <= wanted && wanted < sum + measure) {
        row.scratch[kSampleWarps] = static_cast<Weight>(high - i);
        row.scratch[kSampleWarps + 1] = sum;
      }
      sum += measure;
    }
    __syncthreads();
    const unsigned digit = static_cast<unsigned>(row.scratch[kSampleWarps]);
    before += row.scratch[kSampleWarps + 1];
    __syncthreads();
    prefix = prefix << bits | digit;
    bound = fmaxf(bound, of_order(prefix << below));
  }

  // Of the equals of the last logit, the first so many stay.
  const Weight each = Counting ? Weight{1} : row.weight(bound);
  const Weight left = target > before ? target - before : 1;
  const Weight keep = each == 0 ? ~0ull : (left + each - 1) / each;
  Weight kept = 0;
  for (int start = 0; start < row.vocabulary; start += kSampleThreads) {
    const int i = start + threadIdx.x;
    const bool equal = i < row.vocabulary && row.logits[i] == bound;
    const Weight index = kept + block_before(equal ? 1 : 0, row.scratch);
    if (equal && index >= keep && index > 0) row.logits[i] = -kInfinity;
    kept += block_sum(equal ? 1 : 0, row.scratch);
  }
  __syncthreads();
  return bound;
}

// The smallest logit whose weight is at least `share` of the largest.
__device__ inline float logit_of(const Row& row, float share) {
  const double logit = row.max + log(static_cast<double>(share)) / row.inverse_temperature;
  const float rounded = static_cast<float>(logit);
  return rounded < logit ? of_order(order_of(rounded) + 1) : rounded;
}

__device__ int draw(const Row& row, const SamplingOptions& options) {
  float bound = of_order(order_of(-kInfinity) + 1);
  if (options.top_k > 0 && options.top_k < row.vocabulary) bound = reduce_to<true>(row, bound, static_cast<Weight>(options.top_k));
  const auto total = [&](float from) {
    Weight sum = 0;
    for (int i = threadIdx.x; i < row.vocabulary; i += kSampleThreads)
      if (row.logits[i] >= from) sum += row.weight(row.logits[i]);
    return block_sum(sum, row.scratch);
  };
  if (options.top_p < 1.0f) {
    const double target = static_cast<double>(options.top_p) * total(bound);
    const Weight whole = static_cast<Weight>(target);
    bound = reduce_to<false>(row, bound, max(Weight{1}, whole + (whole < target)));
  }
  if (options.min_p > 0.0f) bound = fmaxf(bound, logit_of(row, options.min_p));

  // target = floor(u · total), exactly.
  const Weight all = total(bound);
  const Weight u = philox_53(options.seed, options.step);
  const Weight target = __umul64hi(u << 11, all);
  Weight before = 0;
  for (int start = 0; start < row.vocabulary; start += kSampleThreads) {
    const int i = start + threadIdx.x;
    const Weight own = i < row.vocabulary && row.logits[i] >= bound ? row.weight(row.logits[i]) : 0;
    const Weight sum = block_sum(own, row.scratch);
    if (target < before + sum) return find(own, target - before, i, row.scratch);
    before += sum;
  }
  return kForbidden;
}

// The largest logit's first token.
__device__ int first_of(const Row& row, float value, int* found) {
  if (threadIdx.x == 0) *found = row.vocabulary;
  __syncthreads();
  for (int i = threadIdx.x; i < row.vocabulary; i += kSampleThreads) {
    if (row.logits[i] == value) {
      atomicMin(found, i);
      break;
    }
  }
  __syncthreads();
  const int token = *found;
  __syncthreads();
  return token;
}

template <bool Greedy>
__global__ void __launch_bounds__(kSampleThreads, 1) sample(SamplingParams p) {
  ptx::wait_for_previous_launch();
  const SamplingOptions options = p.options[blockIdx.x];
  if (options.temperature < 0.0f) return;
  Row row;
  row.logits = p.logits + static_cast<size_t>(blockIdx.x) * p.stride;
  row.vocabulary = p.vocabulary;
  row.histogram = reinterpret_cast<Weight*>(ptx::dynamic_shared());
  row.scratch = row.histogram + (Greedy ? 0 : kDigits);
  unsigned short* seen = p.seen && options.counts >= 0 ? p.seen + static_cast<size_t>(options.counts) * p.vocabulary : nullptr;

  // The largest, with NaN as larger than everything.
  unsigned largest = 0;
  for (int i = threadIdx.x; i < p.vocabulary; i += kSampleThreads) {
    float logit = row.logits[i];
    if (seen && seen[i] != 0) {
      logit = logit > 0.0f ? logit / options.repetition_penalty : logit * options.repetition_penalty;
      const int count = seen[i] & (kSeen - 1);
      if (count > 0) logit -= count * options.frequency_penalty + options.presence_penalty;
      row.logits[i] = logit;
    }
    largest = max(largest, logit != logit ? 0xffffffffu : order_of(logit));
  }
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) largest = max(largest, __shfl_xor_sync(kFullMask, largest, offset));
  unsigned* warps = reinterpret_cast<unsigned*>(row.scratch);
  if (threadIdx.x % kWarpSize == 0) warps[threadIdx.x / kWarpSize] = largest;
  __syncthreads();
  for (int warp = 0; warp < kSampleWarps; ++warp) largest = max(largest, warps[warp]);
  __syncthreads();
  row.max = of_order(largest);

  int token = row.max != row.max ? kNotANumber : row.max > 0.0f ? kInfinite : kForbidden;
  if (row.max > -kInfinity && row.max < kInfinity) {
    if (Greedy || options.temperature == 0.0f) {
      token = first_of(row, row.max, reinterpret_cast<int*>(row.scratch));
    } else {
      row.inverse_temperature = 1.0f / options.temperature;
      token = draw(row, options);
    }
  }
  ptx::allow_next_launch();
  if (threadIdx.x != 0) return;
  p.tokens[blockIdx.x] = token;
  if (seen && token >= 0) seen[token] = static_cast<unsigned short>((seen[token] | kSeen) + ((seen[token] & (kSeen - 1)) < kSeen - 1));
}

}  // namespace weft
