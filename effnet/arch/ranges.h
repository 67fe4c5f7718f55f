// The ranges of an ArchSpec's numbers. Used to read arch files (spec.cc), to scale (scaling.cc), to check a spec that
// code has filled in (check()), and to check the options of a search space. They are far beyond all published networks.
// Together with the check in effnet/graph/costs they keep all counts within 64 bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "effnet/arch/spec.h"
#include "effnet/base/error.h"

namespace effnet::arch {

template <class Number>
struct Range {
  Number low, high;
};

inline constexpr Range<std::int64_t> kChannels{1, 1 << 16};
inline constexpr Range<std::int64_t> kRepeats{1, 1000};
inline constexpr Range<std::int64_t> kKernel{1, 15};
inline constexpr Range<std::int64_t> kStride{1, 8};
inline constexpr Range<std::int64_t> kExpand{1, 64};
inline constexpr Range<std::int64_t> kResolution{1, 8192};
inline constexpr Range<std::int64_t> kClasses{1, 1 << 20};
inline constexpr Range<std::int64_t> kStages{1, 100};
inline constexpr Range<std::int64_t> kChannelsOrNone{0, kChannels.high};
inline constexpr Range<double> kEpsilon{1e-12, 1};
inline constexpr Range<double> kFraction{0, 1};
inline constexpr Range<double> kDropRate{0, 0.99};

// Each function calls visit(key, value, range) for every number of one part of the spec. `Part` may be const.
template <class Part, class Visit>
void visit_network(Part& spec, Visit visit) {
  visit("resolution", spec.resolution, kResolution);
  visit("classes", spec.classes, kClasses);
  visit("bn_epsilon", spec.bn_epsilon, kEpsilon);
  visit("bn_momentum", spec.bn_momentum, kFraction);
  visit("dropout", spec.dropout, kDropRate);
  visit("drop_path", spec.drop_path, kDropRate);
}
template <class Part, class Visit>
void visit_stem(Part& stem, Visit visit) {
  visit("channels", stem.channels, kChannels);
  visit("kernel", stem.kernel, kKernel);
  visit("stride", stem.stride, kStride);
}
template <class Part, class Visit>
void visit_stage(Part& stage, Visit visit) {
  visit("repeats", stage.repeats, kRepeats);
  visit("channels", stage.channels, kChannels);
  visit("kernel", stage.kernel, kKernel);
  visit("stride", stage.stride, kStride);
  visit("expand", stage.expand, kExpand);
  visit("se", stage.se, kFraction);
}
template <class Part, class Visit>
void visit_head(Part& head, Visit visit) {
  visit("channels", head.channels, kChannelsOrNone);
  visit("min_channels", head.min_channels, kChannelsOrNone);
}

// For visit_*: throws Error(input) for a number outside its range. NaN is outside every range. `place` is before the
// key in the message.
inline auto range_checker(std::string place) {
  return [place = std::move(place)](std::string_view key, const auto& value, const auto& range) {
    if (value >= range.low && value <= range.high) return;
    throw input_error("{}{}: out of range (got {}, expected {} to {})", place, key, value, range.low, range.high);
  };
}

}  // namespace effnet::arch
