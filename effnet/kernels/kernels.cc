#include "effnet/kernels/kernels.h"

#include <fmt/format.h>

#include <array>

#include "effnet/base/error.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {
namespace {

constexpr std::array<std::string_view, kEpilogues> kEpilogueNames{"clamp", "silu", "hard_swish"};

struct Parts {
  std::span<const ProductFn> (*products)();
  std::span<const DepthwiseFn> (*depthwises)();
  std::span<const DepthwisePairFn> (*depthwise_pairs)();  // or null
  void (*fill_elementwise)(KernelSet&);
};
// By Isa.
constexpr Parts kParts[] = {
    {products_portable, depthwises_portable, nullptr, fill_elementwise_portable},
#if defined(__x86_64__)
    {products_avx2, depthwises_avx2, nullptr, fill_elementwise_avx2},
    {products_avx512, depthwises_avx512, depthwise_pairs_avx512, fill_elementwise_avx512},
#endif
};

KernelSet joined(Isa isa, const Parts& parts) {
  KernelSet set{};
  set.isa = isa;
  parts.fill_elementwise(set);
  set.products = parts.products();
  set.depthwises = parts.depthwises();
  if (parts.depthwise_pairs != nullptr) set.depthwise_pairs = parts.depthwise_pairs();
  return set;
}

}  // namespace

std::string_view name(Epilogue epilogue) { return kEpilogueNames[static_cast<std::size_t>(epilogue)]; }

const KernelSet& kernel_set(Isa isa) {
  static const auto sets = [] {
    std::array<KernelSet, std::size(kParts)> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = joined(static_cast<Isa>(i), kParts[i]);
    return all;
  }();
  EFFNET_CHECK(static_cast<std::size_t>(isa) < sets.size());
  return sets[static_cast<std::size_t>(isa)];
}

ProductFn KernelSet::product(std::size_t p, std::int64_t lanes, Epilogue epilogue) const {
  const auto width = static_cast<std::size_t>(lanes / 8 - 1);
  const auto widths = static_cast<std::size_t>(tile / 8);
  return products[(p * widths + width) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

DepthwiseFn KernelSet::depthwise(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const {
  if ((kernel != 3 && kernel != 5 && kernel != 7) || (stride != 1 && stride != 2)) return nullptr;
  const auto row = static_cast<std::size_t>((kernel - 3) + (stride - 1));
  return depthwises[(row * 2 + (half ? 1 : 0)) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

DepthwisePairFn KernelSet::depthwise_pair(std::int64_t kernel, std::int64_t stride, bool half,
                                          Epilogue epilogue) const {
  if ((kernel != 3 && kernel != 5) || stride != 1 || depthwise_pairs.empty()) return nullptr;
  const auto row = static_cast<std::size_t>(kernel / 5);
  return depthwise_pairs[(row * 2 + (half ? 1 : 0)) * kEpilogues + static_cast<std::size_t>(epilogue)];
}

std::string product_name(const KernelSet& set, std::size_t p, std::int64_t lanes, Epilogue epilogue) {
  return fmt::format("f32_product_{}x{}_{}_{}", set.heights[p], lanes, name(epilogue), name(set.isa));
}

std::string depthwise_name(const KernelSet& set, std::int64_t kernel, std::int64_t stride, bool half,
                           Epilogue epilogue) {
  return fmt::format("f32_depthwise_k{}s{}x{}_{}_{}", kernel, stride, half ? 8 : 16, name(epilogue), name(set.isa));
}

std::string depthwise_pair_name(const KernelSet& set, std::int64_t kernel, bool half, Epilogue epilogue) {
  return fmt::format("f32_depthwise_pair_k{}s1x{}_{}_{}", kernel, half ? 8 : 16, name(epilogue), name(set.isa));
}

}  // namespace effnet::kernels
