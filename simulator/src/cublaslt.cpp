// cuBLASLt's functions for the products that Weft asks for, as plain loops with float32 sums. What is not modelled is refused.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "workers.h"

using namespace sim;

namespace {

enum Status : int { kOk = 0, kInvalid = 7, kExecutionFailed = 13, kUnsupported = 15 };
enum Epilogue : int { kNone = 1, kRelu = 2, kBias = 4, kGelu = 32 };
enum Type : int { kF32 = 0, kF16 = 2, kBF16 = 14, kF8 = 28 };

struct Layout {
  int type;
  uint64_t rows, columns;
  int64_t stride;
  int order = 0;  // 0: columns lie together, 1: rows do
  int batches = 1;
  int64_t batch_stride = 0;
};

struct Descriptor {
  int compute, scale;
  int transpose_a = 0, transpose_b = 0;
  int epilogue = 1;
  uintptr_t bias = 0;
  int bias_type = -1;
  const float* a_scale = nullptr;
  const float* b_scale = nullptr;
};

size_t size_of(int type) { return type == kF32 ? 4 : type == kF8 ? 1 : 2; }
bool is_known(int type) { return type == kF32 || type == kF16 || type == kBF16 || type == kF8; }

float f8_to_float(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9) : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  if (exponent == 15 && mantissa == 7) value = NAN;
  return bits & 128 ? -value : value;
}

float load(const unsigned char* base, int type, size_t index) {
  switch (type) {
    case kF32: {
      float value;
      memcpy(&value, base + 4 * index, 4);
      return value;
    }
    case kF16: {
      _Float16 value;
      memcpy(&value, base + 2 * index, 2);
      return static_cast<float>(value);
    }
    case kBF16: {
      uint16_t bits;
      memcpy(&bits, base + 2 * index, 2);
      const uint32_t word = static_cast<uint32_t>(bits) << 16;
      float value;
      memcpy(&value, &word, 4);
      return value;
    }
    default:
      return f8_to_float(base[index]);
  }
}

void store(unsigned char* base, int type, size_t index, float value) {
  if (type == kF32) {
    memcpy(base + 4 * index, &value, 4);
  } else if (type == kF16) {
    const auto half = static_cast<_Float16>(value);
    memcpy(base + 2 * index, &half, 2);
  } else {
    uint32_t word;
    memcpy(&word, &value, 4);
    const auto bits = static_cast<uint16_t>((word & 0x7fffffffu) > 0x7f800000u ? 0x7fff : (word + 0x7fff + ((word >> 16) & 1)) >> 16);
    memcpy(base + 2 * index, &bits, 2);
  }
}

size_t offset(const Layout& layout, uint64_t row, uint64_t column) {
  return layout.order == 0 ? column * static_cast<uint64_t>(layout.stride) + row : row * static_cast<uint64_t>(layout.stride) + column;
}

float activate(int epilogue, float x) {
  if (epilogue & kRelu) return x > 0 ? x : 0;
  if (epilogue & kGelu) return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
  return x;
}

constexpr uint64_t kColumns = 16;

// The result's type where nothing else is said.
int bias_type_of(const Descriptor& descriptor, const Layout& d) { return descriptor.bias_type < 0 ? d.type : descriptor.bias_type; }

struct Product {
  Descriptor descriptor;
  Layout a, b, c, d;
  uintptr_t a_address, b_address, c_address, d_address;
  float alpha, beta;

  uint64_t m() const { return d.rows; }
  uint64_t n() const { return d.columns; }
  uint64_t k() const { return descriptor.transpose_a ? a.rows : a.columns; }

  uint64_t groups() const { return (n() + kColumns - 1) / kColumns; }

  // Some columns of the result side by side: each row of A is converted once for all of them, and each column's sum has the one order
  // whatever the number of columns.
  void columns(uint64_t batch, uint64_t group) const {
    const auto at = [batch](uintptr_t base, const Layout& layout) {
      return reinterpret_cast<unsigned char*>(base) +
             static_cast<int64_t>(batch) * layout.batch_stride * static_cast<int64_t>(size_of(layout.type));
    };
    const auto *pa = at(a_address, a), *pb = at(b_address, b), *pc = at(c_address, c);
    auto* pd = at(d_address, d);
    const auto* bias = reinterpret_cast<const unsigned char*>(descriptor.bias);
    const float scale = alpha * (descriptor.a_scale ? *descriptor.a_scale : 1) * (descriptor.b_scale ? *descriptor.b_scale : 1);
    const uint64_t first = group * kColumns, count = std::min<uint64_t>(kColumns, n() - first);
    std::vector<float> left(k()), right(k() * kColumns);
    for (uint64_t i = 0; i < k(); ++i)
      for (uint64_t j = 0; j < count; ++j)
        right[i * kColumns + j] = load(pb, b.type, descriptor.transpose_b ? offset(b, first + j, i) : offset(b, i, first + j));
    for (uint64_t row = 0; row < m(); ++row) {
      for (uint64_t i = 0; i < k(); ++i) left[i] = load(pa, a.type, descriptor.transpose_a ? offset(a, i, row) : offset(a, row, i));
      float sums[kColumns] = {};
      for (uint64_t i = 0; i < k(); ++i)
        for (uint64_t j = 0; j < kColumns; ++j) sums[j] += left[i] * right[i * kColumns + j];
      for (uint64_t j = 0; j < count; ++j) {
        float value = scale * sums[j];
        if (beta != 0) value += beta * load(pc, c.type, offset(c, row, first + j));
        if (descriptor.epilogue & kBias) value += load(bias, bias_type_of(descriptor, d), row);
        store(pd, d.type, offset(d, row, first + j), activate(descriptor.epilogue, value));
      }
    }
  }
};

bool is_layout(const Layout& layout) {
  return layout.rows > 0 && layout.columns > 0 && layout.batches > 0 &&
         layout.stride >= static_cast<int64_t>(layout.order == 0 ? layout.rows : layout.columns);
}

// Quarter-precision products are there in one arrangement: columns of A and B along the sum, all in whole 16-byte units.
bool is_f8_arrangement(const Descriptor& descriptor, const Layout& a, const Layout& b) {
  return descriptor.transpose_a && !descriptor.transpose_b && a.order == 0 && b.order == 0 && a.stride % 16 == 0 && b.stride % 16 == 0 &&
         a.rows % 16 == 0;
}

int check(const Descriptor* descriptor, const Layout* a, const Layout* b, const Layout* c, const Layout* d) {
  if (!descriptor || !a || !b || !c || !d) return kInvalid;
  if (!is_layout(*a) || !is_layout(*b) || !is_layout(*c) || !is_layout(*d)) return kInvalid;
  if (a->batches != d->batches || b->batches != d->batches || c->batches != d->batches) return kInvalid;
  const uint64_t m = descriptor->transpose_a ? a->columns : a->rows, ka = descriptor->transpose_a ? a->rows : a->columns;
  const uint64_t n = descriptor->transpose_b ? b->rows : b->columns, kb = descriptor->transpose_b ? b->columns : b->rows;
  if (m != d->rows || n != d->columns || ka != kb || c->rows != d->rows || c->columns != d->columns) return kInvalid;

  if (!is_known(a->type) || a->type != b->type || c->type != d->type) return kUnsupported;
  if (d->type != kF32 && d->type != kF16 && d->type != kBF16) return kUnsupported;
  if (d->type != kF32 && a->type != kF8 && d->type != a->type) return kUnsupported;
  if (a->type == kF8 && !is_f8_arrangement(*descriptor, *a, *b)) return kUnsupported;
  if (a->type != kF8 && (descriptor->a_scale || descriptor->b_scale)) return kUnsupported;
  const int activation = descriptor->epilogue & ~kBias;
  if (descriptor->epilogue != kBias && activation != kNone && activation != kRelu && activation != kGelu) return kUnsupported;
  if ((descriptor->epilogue & kBias) != 0) {
    if (!descriptor->bias) return kInvalid;
    const int wanted = a->type != kF8 ? d->type : d->type == kF16 ? kF16 : kBF16;
    if (bias_type_of(*descriptor, *d) != wanted) return kUnsupported;
  }
  return kOk;
}

}  // namespace

SIM_EXPORT int cublasLtCreate(void** handle) {
  SIM_FAULT();
  *handle = new int(0);
  return kOk;
}

SIM_EXPORT int cublasLtDestroy(void* handle) {
  SIM_FAULT();
  delete static_cast<int*>(handle);
  return kOk;
}

SIM_EXPORT size_t cublasLtGetVersion() { return 130000; }

SIM_EXPORT const char* cublasLtGetStatusName(int status) {
  switch (status) {
    case kOk:
      return "CUBLAS_STATUS_SUCCESS";
    case 1:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case kInvalid:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case 8:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 11:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case kExecutionFailed:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case kUnsupported:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    case 16:
      return "CUBLAS_STATUS_LICENSE_ERROR";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

SIM_EXPORT const char* cublasLtGetStatusString(int status) { return cublasLtGetStatusName(status); }

SIM_EXPORT int cublasLtMatmulDescCreate(Descriptor** descriptor, int compute, int scale) {
  SIM_FAULT();
  if (compute != 68 || scale != kF32) return kUnsupported;
  *descriptor = new Descriptor{compute, scale};
  return kOk;
}

SIM_EXPORT int cublasLtMatmulDescDestroy(Descriptor* descriptor) {
  SIM_FAULT();
  delete descriptor;
  return kOk;
}

SIM_EXPORT int cublasLtMatmulDescSetAttribute(Descriptor* descriptor, int attribute, const void* value, size_t bytes) {
  SIM_FAULT();
  const auto set = [&](auto& field) {
    if (bytes != sizeof field) return static_cast<int>(kInvalid);
    memcpy(&field, value, sizeof field);
    return static_cast<int>(kOk);
  };
  switch (attribute) {
    case 3:
      return set(descriptor->transpose_a);
    case 4:
      return set(descriptor->transpose_b);
    case 7:
      return set(descriptor->epilogue);
    case 8:
      return set(descriptor->bias);
    case 17:
      return set(descriptor->a_scale);
    case 18:
      return set(descriptor->b_scale);
    case 26:
      return set(descriptor->bias_type);
    default:
      return kUnsupported;
  }
}

SIM_EXPORT int cublasLtMatrixLayoutCreate(Layout** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  SIM_FAULT();
  *layout = new Layout{type, rows, columns, stride};
  return kOk;
}

SIM_EXPORT int cublasLtMatrixLayoutDestroy(Layout* layout) {
  SIM_FAULT();
  delete layout;
  return kOk;
}

SIM_EXPORT int cublasLtMatrixLayoutSetAttribute(Layout* layout, int attribute, const void* value, size_t) {
  SIM_FAULT();
  switch (attribute) {
    case 1:
      memcpy(&layout->order, value, 4);
      return layout->order <= 1 ? kOk : kUnsupported;
    case 5:
      memcpy(&layout->batches, value, 4);
      return kOk;
    case 6:
      memcpy(&layout->batch_stride, value, 8);
      return kOk;
    default:
      return kUnsupported;
  }
}

SIM_EXPORT int cublasLtMatmulPreferenceCreate(void** preference) {
  SIM_FAULT();
  *preference = new int(0);
  return kOk;
}

SIM_EXPORT int cublasLtMatmulPreferenceDestroy(void* preference) {
  SIM_FAULT();
  delete static_cast<int*>(preference);
  return kOk;
}

SIM_EXPORT int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t) {
  SIM_FAULT();
  return kOk;
}

SIM_EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, Descriptor* descriptor, Layout* a, Layout* b, Layout* c, Layout* d, void*, int,
                                              void* results, int* found) {
  SIM_FAULT();
  *found = 0;
  if (const int status = check(descriptor, a, b, c, d)) return status;
  memset(results, 0, 96);
  *found = 1;
  return kOk;
}

SIM_EXPORT int cublasLtMatmul(void*, Descriptor* descriptor, const float* alpha, uintptr_t a, Layout* a_layout, uintptr_t b,
                              Layout* b_layout, const float* beta, uintptr_t c, Layout* c_layout, uintptr_t d, Layout* d_layout,
                              const void*, uintptr_t, size_t, Stream* handle) {
  SIM_FAULT();
  if (const int status = check(descriptor, a_layout, b_layout, c_layout, d_layout)) return status;
  const Product product{*descriptor, *a_layout, *b_layout, *c_layout, *d_layout, a, b, c, d, *alpha, *beta};
  auto& device = Device::get();
  std::lock_guard lock(device.mutex);
  if (device.error() != kSuccess) return kExecutionFailed;
  Stream* const stream = device.find(handle);
  if (!stream) return kInvalid;
  device.submit(stream, NodeKind::Kernel, [product]() {
    const uint64_t groups = product.groups();
    return run_items("cublasLtMatmul", groups * static_cast<uint64_t>(product.d.batches),
                     [&](uint64_t item) { product.columns(item / groups, item % groups); });
  });
  return kOk;
}
