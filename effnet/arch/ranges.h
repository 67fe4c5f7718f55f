// The ranges of an ArchSpec's numbers: one table for what reads arch files (spec.cc), what scales (scaling.cc) and what
// checks a spec that was filled in by hand (check()). They are far above any published network and keep every count
// within 64 bits with the check in effnet/graph/costs.
#pragma once

#include <cstdint>
#include <string_view>

#include "effnet/arch/spec.h"

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
inline constexpr Range<double> kShare{0, 1};  // a part of a whole
inline constexpr Range<double> kDropRate{0, 0.99};

// Calls visit(key, value, range) for every number of a part. `Part` is the part or const of it.
template <class Part, class Visit>
void visit_network(Part& spec, Visit visit) {
  visit("resolution", spec.resolution, kResolution);
  visit("classes", spec.classes, kClasses);
  visit("bn_epsilon", spec.bn_epsilon, kEpsilon);
  visit("bn_momentum", spec.bn_momentum, kShare);
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
  visit("se", stage.se, kShare);
}
template <class Part, class Visit>
void visit_head(Part& head, Visit visit) {
  visit("channels", head.channels, kChannelsOrNone);
  visit("min_channels", head.min_channels, kChannelsOrNone);
}

}  // namespace effnet::arch
