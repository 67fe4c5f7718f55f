#include "effnet/search/control/percentiles.h"

#include <algorithm>
#include <cstddef>

#include "effnet/base/error.h"

namespace effnet::search {

std::array<double, 2> percentiles_95(std::vector<double> values) {
  EFFNET_CHECK(!values.empty());
  std::ranges::sort(values);
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
  };
  return {at(0.025), at(0.975)};
}

}  // namespace effnet::search
