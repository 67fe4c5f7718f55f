#include "effnet/kernels/target.h"

#include <fmt/format.h>

#include <iterator>

#include "effnet/base/error.h"

namespace effnet::kernels {
namespace {

struct Row {  // in the order of Precision
  Precision precision;
  std::string_view name;
  std::string_view prefix;  // of kernels' names
};
constexpr Row kPrecisions[] = {{Precision::fp32, "fp32", "f32"}};

const Row& row_of(Precision precision) {
  const auto place = static_cast<std::size_t>(precision);
  EFFNET_CHECK(place < std::size(kPrecisions) && kPrecisions[place].precision == precision);
  return kPrecisions[place];
}

}  // namespace

std::string_view name(Precision precision) { return row_of(precision).name; }

std::string name(const Target& target) { return fmt::format("{}_{}", name(target.isa), name(target.precision)); }

std::string kernel_name(const Target& target, std::string_view what) {
  return fmt::format("{}_{}_{}", row_of(target.precision).prefix, what, name(target.isa));
}

}  // namespace effnet::kernels
