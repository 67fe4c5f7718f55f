// From a network to its point. canonical() is the same search, for the network of a point.
#include <algorithm>
#include <tuple>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/search/space/fields.h"
#include "effnet/search/space/space.h"
#include "effnet/search/space/stage_form.h"

namespace effnet::search {
namespace {

// The smallest option that leaves the form of `stage` as it is; empty if there is none. `base`: the same stage of the
// space's base.
std::optional<int> find_option(const Choice& choice, const arch::StageSpec& base, const arch::StageSpec& stage,
                               std::int64_t in_channels) {
  const Field& field = field_named(choice.field);
  const StageForm form = form_of(stage, in_channels);
  arch::StageSpec changed = stage;
  for (std::size_t option = 0; option < choice.options.size(); ++option) {
    field.apply(changed, base, choice.options[option]);
    if (form_of(changed, in_channels) == form) return static_cast<int>(option);
  }
  return {};
}

// The canonical point whose stages have the forms of the stages of `spec`. These are as many as the base's, of
// exchangeable blocks, and the stem has the base's channels.
//
// The choices can be searched one by one. The kind of block, repeats, channels and kernel are part of the form, so they
// are known. They decide whether the expansion, squeeze-and-excitation and `skip` have an effect; among these three,
// none decides about another one.
std::optional<Point> point_of(const Space& space, const arch::ArchSpec& spec) {
  Point point;
  point.reserve(space.choices.size());
  auto choice = space.choices.begin();
  for (std::size_t s = 0; s < spec.stages.size(); ++s) {
    const arch::StageSpec& base = space.base.stages[s];
    const arch::StageSpec& stage = spec.stages[s];
    const std::int64_t in_channels = input_channels(spec, s);
    arch::StageSpec built = base;
    for (; choice != space.choices.end() && choice->stage == s; ++choice) {
      const std::optional<int> option = find_option(*choice, base, stage, in_channels);
      if (!option) return {};
      field_named(choice->field).apply(built, base, choice->options[static_cast<std::size_t>(*option)]);
      point.push_back(*option);
    }
    // Members without a choice have the base's value.
    if (form_of(built, in_channels) != form_of(stage, in_channels)) return {};
  }
  return point;
}

bool same_but_for_stages(const arch::ArchSpec& a, const arch::ArchSpec& b) {
  const auto key = [](const arch::ArchSpec& spec) {
    const auto has = [](arch::Activation activation) { return activation != arch::Activation::none; };
    return std::tuple(spec.padding, spec.bn_epsilon, spec.bn_momentum, has(spec.activation), spec.stem.channels,
                      spec.stem.kernel, spec.stem.stride, has(spec.stem.activation), spec.stem.padding, spec.stem.pool,
                      spec.stages.size(), spec.head.channels, has(spec.head.activation));
  };
  return key(a) == key(b);
}

}  // namespace

std::optional<Point> find_point(const Space& space, const arch::ArchSpec& spec) {
  const auto exchangeable = [](const arch::StageSpec& stage) {
    return find_exchangeable_block(stage.block) != nullptr;
  };
  if (!same_but_for_stages(space.base, spec) || !std::ranges::all_of(spec.stages, exchangeable)) return {};
  return point_of(space, spec);
}

Point canonical(const Space& space, const Point& point) {
  std::optional<Point> found = point_of(space, network_of(space, point));
  EFFNET_CHECK(found.has_value());
  return *std::move(found);
}

}  // namespace effnet::search
