#include "effnet/primitives/channel_moments.h"

#include <algorithm>
#include <utility>

namespace effnet::primitives {

using kernels::kBlock;

ChannelMoments::ChannelMoments(std::vector<std::int64_t> slot_pixels, std::int64_t channels)
    : slot_pixels_(std::move(slot_pixels)), channels_(channels), blocks_(kernels::blocks_of(channels)) {
  values_.resize(slot_pixels_.size() * static_cast<std::size_t>(blocks_ * 3 * kBlock));
}

void ChannelMoments::take(const kernels::TrainingSet& set, std::int64_t slot, std::int64_t block, const float* y,
                          std::int64_t pixels) {
  float* const to = values_.data() + (slot * blocks_ + block) * 3 * kBlock;
  std::copy_n(y, kBlock, to);
  set.moments(y, pixels, to);
}

ChannelMoments::Joined ChannelMoments::joined() const {
  const auto all = static_cast<std::size_t>(blocks_ * kBlock);
  Joined result{std::vector<double>(all), std::vector<double>(all)};
  const float* part = values_.data();
  for (const std::int64_t pixels : slot_pixels_) {
    const auto count = static_cast<double>(pixels);
    const double share = count / (result.pixels + count), cross = result.pixels * share;
    for (std::size_t block = 0; block < all; block += kBlock, part += 3 * kBlock) {
      for (std::size_t lane = 0; lane < kBlock; ++lane) {
        const double sum = part[kBlock + lane], own_mean = sum / count;
        const double delta = part[lane] + own_mean - result.mean[block + lane];
        result.mean[block + lane] += delta * share;
        result.squares[block + lane] += part[2 * kBlock + lane] - sum * own_mean + delta * delta * cross;
      }
    }
    result.pixels += count;
  }
  result.mean.resize(static_cast<std::size_t>(channels_));
  result.squares.resize(static_cast<std::size_t>(channels_));
  return result;
}

}  // namespace effnet::primitives
