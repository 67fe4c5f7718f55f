#include "effnet/search/space/space.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

#include "effnet/base/error.h"
#include "effnet/base/shuffle.h"
#include "effnet/search/space/fields.h"
#include "effnet/search/space/stage_form.h"

namespace effnet::search {

std::string Space::size() const {
  constexpr std::uint64_t kLimb = 1'000'000'000;  // 9 decimal digits
  std::vector<std::uint64_t> limbs{1};            // the lowest first
  for (const Choice& choice : choices) {
    std::uint64_t carry = 0;
    for (std::uint64_t& limb : limbs) {
      carry += limb * choice.options.size();
      limb = carry % kLimb;
      carry /= kLimb;
    }
    if (carry > 0) limbs.push_back(carry);
  }
  std::string text = fmt::format("{}", limbs.back());
  for (std::size_t i = limbs.size() - 1; i > 0; --i) text += fmt::format("{:09}", limbs[i - 1]);
  return text;
}

const std::string& option_of(const Space& space, const Point& point, std::size_t index) {
  EFFNET_CHECK(point.size() == space.choices.size() && index < point.size());
  const std::vector<std::string>& options = space.choices[index].options;
  EFFNET_CHECK(point[index] >= 0 && static_cast<std::size_t>(point[index]) < options.size());
  return options[static_cast<std::size_t>(point[index])];
}

arch::ArchSpec network_of(const Space& space, const Point& point) {
  EFFNET_CHECK(point.size() == space.choices.size());
  arch::ArchSpec spec = space.base;
  spec.name += "-found";
  for (std::size_t i = 0; i < point.size(); ++i) {
    const Choice& choice = space.choices[i];
    field_named(choice.field)
        .apply(spec.stages[choice.stage], space.base.stages[choice.stage], option_of(space, point, i));
  }
  return spec;
}

Point sample(const Space& space, Draws& draws) {
  Point point;
  point.reserve(space.choices.size());
  for (const Choice& choice : space.choices) point.push_back(static_cast<int>(draws.below(std::ssize(choice.options))));
  return canonical(space, point);
}

Point mutate(const Space& space, const Point& point, Draws& draws) {
  Point changed = canonical(space, point);
  const arch::ArchSpec spec = network_of(space, changed);
  for (const int drawn : shuffled(space.choices.size(), draws)) {
    const auto index = static_cast<std::size_t>(drawn);
    const Choice& choice = space.choices[index];
    const Field& field = field_named(choice.field);
    const arch::StageSpec& stage = spec.stages[choice.stage];
    const std::int64_t in_channels = input_channels(spec, choice.stage);
    for (const int option : shuffled(choice.options.size(), draws)) {
      arch::StageSpec other = stage;
      field.apply(other, space.base.stages[choice.stage], choice.options[static_cast<std::size_t>(option)]);
      if (form_of(other, in_channels) == form_of(stage, in_channels)) continue;
      changed[index] = option;
      return canonical(space, changed);
    }
  }
  return changed;
}

Point cross_over(const Space& space, const Point& a, const Point& b, Draws& draws) {
  EFFNET_CHECK(a.size() == b.size());
  Point child;
  child.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) child.push_back(draws.below(2) == 0 ? a[i] : b[i]);
  return canonical(space, child);
}

}  // namespace effnet::search
