#include "effnet/search/control/importance.h"

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/search/control/draw_points.h"

namespace effnet::search {
namespace {

ChoiceImportance importance_of(std::size_t choice, std::size_t options, std::span<const ValuedPoint> points) {
  const auto option_of = [&](const ValuedPoint& one) { return static_cast<std::size_t>(one.point[choice]); };
  ChoiceImportance row;
  row.options.resize(options);
  double mean = 0;  // of all values
  for (const ValuedPoint& one : points) {
    OptionMean& group = row.options[option_of(one)];
    ++group.networks;
    group.mean += one.value;
    mean += one.value / static_cast<double>(points.size());
  }
  double between = 0, within = 0, groups = 0;
  row.best = options;
  for (std::size_t i = 0; i < options; ++i) {
    OptionMean& group = row.options[i];
    if (group.networks == 0) continue;
    const auto networks = static_cast<double>(group.networks);
    group.mean /= networks;
    between += networks * (group.mean - mean) * (group.mean - mean);
    groups += 1;
    if (row.best == options || group.mean > row.options[row.best].mean) row.best = i;
  }
  for (const ValuedPoint& one : points) {
    const double rest = one.value - row.options[option_of(one)].mean;
    within += rest * rest;
  }
  const double free = static_cast<double>(points.size()) - groups;
  if (free > 0 && between + within > 0)
    row.explained = std::max(0.0, (between - (groups - 1) * within / free) / (between + within));
  return row;
}

}  // namespace

std::vector<ChoiceImportance> importance(const Space& space, std::span<const ValuedPoint> points) {
  EFFNET_CHECK(!points.empty());
  for (const ValuedPoint& one : points) EFFNET_CHECK(is_point(space, one.point));
  std::vector<ChoiceImportance> rows;
  rows.reserve(space.choices.size());
  for (std::size_t i = 0; i < space.choices.size(); ++i)
    rows.push_back(importance_of(i, space.choices[i].options.size(), points));
  return rows;
}

}  // namespace effnet::search
