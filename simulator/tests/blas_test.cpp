// Products in every arrangement that is modelled against sums in double; what is not modelled is refused.
#include <cmath>
#include <cstring>

#include "device.h"

namespace {

constexpr int kFloat = 0, kHalf = 2, kBrain = 14, kQuarter = 28, kUnsupported = 15, kInvalid = 7;

uint16_t to_bits(int type, float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  if (type == kBrain) return static_cast<uint16_t>(word >> 16);
  const auto half = static_cast<_Float16>(value);
  uint16_t bits;
  memcpy(&bits, &half, 2);
  return bits;
}

float to_float(int type, uint16_t bits) {
  if (type == kBrain) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &word, 4);
    return value;
  }
  _Float16 half;
  memcpy(&half, &bits, 2);
  return half;
}

// Small multiples of a quarter: exact in every type of 16 bits.
float number(int seed, size_t i) {
  return static_cast<float>(static_cast<int>((i * 2654435761u + static_cast<size_t>(seed) * 40503u) >> 13 & 31) - 16) / 4;
}

struct Matrix {
  int type, rows, columns, stride, order, batches;
  std::vector<float> values;

  Matrix(int seed, int type, int rows, int columns, int order, int batches)
      : type(type),
        rows(rows),
        columns(columns),
        stride((order == 0 ? rows : columns) + 3),
        order(order),
        batches(batches),
        values(size() * static_cast<size_t>(batches)) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = number(seed, i);
  }
  size_t size() const { return static_cast<size_t>(stride) * static_cast<size_t>(order == 0 ? columns : rows); }
  size_t index(int batch, int row, int column) const {
    return static_cast<size_t>(batch) * size() +
           (order == 0 ? static_cast<size_t>(column) * static_cast<size_t>(stride) + static_cast<size_t>(row)
                       : static_cast<size_t>(row) * static_cast<size_t>(stride) + static_cast<size_t>(column));
  }
  double at(int batch, int row, int column) const { return values[index(batch, row, column)]; }

  uintptr_t upload(Device& device) const {
    if (type == kFloat) return device.upload(values);
    std::vector<uint16_t> bits(values.size());
    for (size_t i = 0; i < bits.size(); ++i) bits[i] = to_bits(type, values[i]);
    return device.upload(bits);
  }
  void download(Device& device, uintptr_t address) {
    if (type == kFloat) {
      values = device.download<float>(address, values.size());
      return;
    }
    const auto bits = device.download<uint16_t>(address, values.size());
    for (size_t i = 0; i < bits.size(); ++i) values[i] = to_float(type, bits[i]);
  }
  BlasLayout* layout() const {
    BlasLayout* result = nullptr;
    OK(cublasLtMatrixLayoutCreate(&result, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride));
    const auto batch_stride = static_cast<int64_t>(size());
    OK(cublasLtMatrixLayoutSetAttribute(result, 1, &order, 4));
    OK(cublasLtMatrixLayoutSetAttribute(result, 5, &batches, 4));
    OK(cublasLtMatrixLayoutSetAttribute(result, 6, &batch_stride, 8));
    return result;
  }
};

struct Setting {
  int input = kHalf, output = kFloat, transpose_a = 0, transpose_b = 0, order = 0, epilogue = 1, batches = 1;
  float alpha = 1, beta = 0;
  int bias_type = -1;
  int k_of_b = 0;  // rows of B beyond those that fit
};

// What cuBLASLt returns; where it accepts, the result is compared.
int multiply(const Setting& s) {
  constexpr int m = 21, n = 37, k = 19;
  Device device;
  const int kb = k + s.k_of_b;
  const Matrix a(1, s.input, s.transpose_a ? k : m, s.transpose_a ? m : k, s.order, s.batches);
  const Matrix b(2, s.input, s.transpose_b ? n : kb, s.transpose_b ? kb : n, s.order, s.batches);
  const Matrix bias(3, s.bias_type < 0 ? s.output : s.bias_type, m, 1, 0, 1);
  Matrix d(4, s.output, m, n, s.order, s.batches);
  const Matrix c = d;

  BlasHandle* handle = nullptr;
  BlasDescriptor* descriptor = nullptr;
  OK(cublasLtCreate(&handle));
  OK(cublasLtMatmulDescCreate(&descriptor, 68, kFloat));
  OK(cublasLtMatmulDescSetAttribute(descriptor, 3, &s.transpose_a, 4));
  OK(cublasLtMatmulDescSetAttribute(descriptor, 4, &s.transpose_b, 4));
  OK(cublasLtMatmulDescSetAttribute(descriptor, 7, &s.epilogue, 4));
  const auto bias_address = bias.upload(device);
  if (s.epilogue & 4) {
    OK(cublasLtMatmulDescSetAttribute(descriptor, 8, &bias_address, 8));
    if (s.bias_type >= 0) OK(cublasLtMatmulDescSetAttribute(descriptor, 26, &s.bias_type, 4));
  }
  const auto address = d.upload(device);
  auto *la = a.layout(), *lb = b.layout(), *ld = d.layout();
  const int status = cublasLtMatmul(handle, descriptor, &s.alpha, a.upload(device), la, b.upload(device), lb, &s.beta, address, ld, address,
                                    ld, nullptr, 0, 0, device.stream);
  for (auto* layout : {la, lb, ld}) OK(cublasLtMatrixLayoutDestroy(layout));
  OK(cublasLtMatmulDescDestroy(descriptor));
  OK(cublasLtDestroy(handle));
  if (status != 0) return status;
  OK(cuStreamSynchronize(device.stream));
  d.download(device, address);

  for (int batch = 0; batch < s.batches; ++batch)
    for (int row = 0; row < m; ++row)
      for (int column = 0; column < n; ++column) {
        double sum = 0;
        for (int i = 0; i < k; ++i)
          sum += (s.transpose_a ? a.at(batch, i, row) : a.at(batch, row, i)) *
                 (s.transpose_b ? b.at(batch, column, i) : b.at(batch, i, column));
        sum = s.alpha * sum + s.beta * c.at(batch, row, column) + (s.epilogue & 4 ? bias.at(0, row, 0) : 0);
        if (s.epilogue & 2) sum = std::max(0.0, sum);
        if (s.epilogue & 32) sum = 0.5 * sum * (1 + std::tanh(std::sqrt(2 / M_PI) * (sum + 0.044715 * sum * sum * sum)));
        const double step = s.output == kFloat ? 1e-5 : s.output == kHalf ? 1e-3 : 8e-3;
        EXPECT(std::abs(d.at(batch, row, column) - sum) <= step * (1 + std::abs(sum)));
      }
  return 0;
}

}  // namespace

TEST(products_of_every_type_transpose_and_order) {
  for (const int input : {kFloat, kHalf, kBrain})
    for (const int output : {kFloat, input})
      for (const int transposes : {0, 1, 2, 3})
        for (const int order : {0, 1}) {
          Setting setting;
          setting.input = input;
          setting.output = output;
          setting.transpose_a = transposes & 1;
          setting.transpose_b = transposes >> 1;
          setting.order = order;
          EXPECT_EQUAL(multiply(setting), 0);
        }
}

TEST(epilogues_scales_and_batches) {
  for (const int epilogue : {1, 2, 4, 6, 32, 36}) {
    Setting setting;
    setting.output = kHalf;
    setting.epilogue = epilogue;
    setting.batches = 3;
    setting.alpha = 0.125f;
    setting.beta = 0.5f;
    EXPECT_EQUAL(multiply(setting), 0);
  }
}

TEST(a_bias_has_the_types_that_cublas_takes) {
  Setting setting;
  setting.epilogue = 4;
  setting.bias_type = kFloat;
  EXPECT_EQUAL(multiply(setting), 0);
  setting.output = kHalf;
  EXPECT_EQUAL(multiply(setting), kUnsupported);
}

TEST(what_is_not_modelled_is_refused) {
  Setting setting;
  setting.input = kHalf;
  setting.output = kBrain;
  EXPECT_EQUAL(multiply(setting), kUnsupported);
  setting = {};
  setting.epilogue = 128;
  EXPECT_EQUAL(multiply(setting), kUnsupported);
  setting = {};
  setting.input = kQuarter;
  EXPECT_EQUAL(multiply(setting), kUnsupported);
  BlasDescriptor* descriptor = nullptr;
  EXPECT_EQUAL(cublasLtMatmulDescCreate(&descriptor, 64, kHalf), kUnsupported);
}

TEST(shapes_that_do_not_fit_are_invalid) {
  Setting setting;
  setting.k_of_b = 1;
  EXPECT_EQUAL(multiply(setting), kInvalid);
}

TEST(a_product_beyond_its_memory_is_reported) {
  Device device;
  BlasHandle* handle = nullptr;
  BlasDescriptor* descriptor = nullptr;
  BlasLayout* layout = nullptr;
  OK(cublasLtCreate(&handle));
  OK(cublasLtMatmulDescCreate(&descriptor, 68, kFloat));
  OK(cublasLtMatrixLayoutCreate(&layout, kFloat, 64, 64, 64));
  const auto x = device.allocate<float>(64 * 64), y = device.allocate<float>(63 * 64);
  const float one = 1, zero = 0;
  OK(cublasLtMatmul(handle, descriptor, &one, x, layout, x, layout, &zero, y, layout, y, layout, nullptr, 0, 0, device.stream));
  EXPECT_EQUAL(cuStreamSynchronize(device.stream), static_cast<int>(kIllegalAddress));
  EXPECT_CONTAINS(Device::report(kIllegalAddress), "cublasLtMatmul");
  EXPECT_CONTAINS(Device::report(kIllegalAddress), "past the end of an allocation of 16128 bytes");
}
