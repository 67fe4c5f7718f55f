// Networks that together have every part of a space's networks.
//
// The choices of one stage do not restrict those of another one. So the first block of a stage can be any of the
// stage's variants after any output of the stage before, and a network is a path through the stages. Each path is the
// one that has the most parts that no path before had: the greedy cover of Chvatal (1979).
#include <algorithm>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/latency_table.h"
#include "effnet/search/space/network_parts.h"

namespace effnet::search {
namespace {

constexpr int kMostTries = 100;                 // to draw a point that is not there yet
constexpr std::size_t kNone = ~std::size_t{0};  // no part

using StagePoint = std::vector<std::pair<std::size_t, int>>;  // (choice, option) of the choices of one stage

// Different blocks of a stage, whatever their number, and the ways to choose them. Parts are numbers, see Cover.
struct Variant {
  std::vector<std::size_t> first;        // the first block after each input of the stage
  std::size_t next = kNone;              // the other blocks; none if the stage never has more than one
  std::vector<StagePoint> all, several;  // `several`: the ways with more than one block
  std::size_t output = 0;                // index in the next stage's inputs
};

struct Stage {
  std::vector<std::int64_t> inputs;  // different numbers of channels
  std::vector<Variant> variants;
};

std::size_t index_in(std::vector<std::int64_t>& all, std::int64_t one) {
  const auto found = std::ranges::find(all, one);
  const auto index = static_cast<std::size_t>(found - all.begin());
  if (found == all.end()) all.push_back(one);
  return index;
}

// All combinations of the options of these choices.
std::vector<StagePoint> combinations(const Space& space, const std::vector<std::size_t>& choices) {
  std::vector<StagePoint> all(1);
  for (const std::size_t choice : choices) {
    std::vector<StagePoint> longer;
    const std::size_t options = space.choices[choice].options.size();
    if (all.size() * options > kMostStageOptions) {
      throw input_error("{}: stage {}: too many combinations of options for a latency table (expected at most {})",
                        one_line(space.name), space.choices[choice].stage + 1, kMostStageOptions);
    }
    longer.reserve(all.size() * options);
    for (const StagePoint& one : all) {
      for (std::size_t option = 0; option < options; ++option) {
        longer.push_back(one);
        longer.back().emplace_back(choice, static_cast<int>(option));
      }
    }
    all = std::move(longer);
  }
  return all;
}

void set_options(Point& point, const StagePoint& stage) {
  for (const auto& [choice, option] : stage) point[choice] = option;
}

// The space as stages with variants, and which parts no network has yet.
class Cover {
 public:
  Cover(const Space& space, Draws& draws) : space_(space), draws_(draws), stages_(space.base.stages.size() + 1) {
    stages_.front().inputs = {space.base.stem.channels};
    for (std::size_t s = 0; s + 1 < stages_.size(); ++s) add_variants(s);
    for (const std::int64_t channels : stages_.back().inputs) head_.push_back(number(head_part(space.base, channels)));
    missing_.assign(numbers_.size(), true);
    left_ = numbers_.size();
  }

  bool complete() const { return left_ == 0; }

  // The network with the most missing parts. They are no longer missing then.
  Point next() {
    find_paths();
    Point point(space_.choices.size(), 0);
    std::size_t input = 0;
    for (std::size_t s = 0; s + 1 < stages_.size(); ++s) {
      const Variant& variant = stages_[s].variants[best_[s][input].variant];
      // A random number of blocks: if it were always the same, the time of the first block could not be separated from
      // the time of the others.
      const std::vector<StagePoint>& ways = is_missing(variant.next) ? variant.several : variant.all;
      set_options(point, ways[static_cast<std::size_t>(draws_.below(std::ssize(ways)))]);
      found(variant.first[input]);
      if (network_of(space_, point).stages[s].repeats > 1) found(variant.next);
      input = variant.output;
    }
    found(head_[input]);
    return point;
  }

 private:
  // The best way from a stage to the head: its number of missing parts, and the variant of the stage.
  struct Best {
    std::size_t parts = 0, variant = 0;
  };

  std::size_t number(const std::string& part) { return numbers_.try_emplace(part, numbers_.size()).first->second; }
  bool is_missing(std::size_t part) const { return part != kNone && missing_[part]; }
  void found(std::size_t part) {
    if (!is_missing(part)) return;
    missing_[part] = false;
    --left_;
  }

  // Fills the variants of stage `s` and the inputs of the next one.
  void add_variants(std::size_t s) {
    std::vector<std::size_t> choices;
    for (std::size_t i = 0; i < space_.choices.size(); ++i) {
      if (space_.choices[i].stage == s) choices.push_back(i);
    }
    std::map<std::string, std::size_t> known;  // by the texts of all parts
    Point point(space_.choices.size(), 0);
    for (StagePoint& way : combinations(space_, choices)) {
      set_options(point, way);
      const arch::StageSpec spec = network_of(space_, point).stages[s];
      const std::string other = next_block_part(s, spec);
      std::string text = other;
      std::vector<std::string> first;
      first.reserve(stages_[s].inputs.size());
      for (const std::int64_t channels : stages_[s].inputs)
        text += first.emplace_back(first_block_part(s, spec, channels));
      const auto [position, is_new] = known.try_emplace(text, known.size());
      if (is_new) {
        Variant& added = stages_[s].variants.emplace_back();
        for (const std::string& part : first) added.first.push_back(number(part));
        added.output = index_in(stages_[s + 1].inputs, spec.channels);
      }
      Variant& variant = stages_[s].variants[position->second];
      if (spec.repeats > 1) {
        variant.next = number(other);
        variant.several.push_back(way);
      }
      variant.all.push_back(std::move(way));
    }
  }

  // Fills best_ from the head to the first stage. Of equally good variants the first one after a random variant is
  // taken, so that the networks differ also in stages that have no missing parts.
  void find_paths() {
    best_.assign(stages_.size(), {});
    for (const std::size_t part : head_) best_.back().push_back({is_missing(part) ? 1U : 0U, 0});
    for (std::size_t s = stages_.size() - 1; s-- > 0;) {
      const std::vector<Variant>& variants = stages_[s].variants;
      for (std::size_t input = 0; input < stages_[s].inputs.size(); ++input) {
        const auto begin = static_cast<std::size_t>(draws_.below(std::ssize(variants)));
        Best best{0, begin};
        for (std::size_t i = 0; i < variants.size(); ++i) {
          const std::size_t v = (begin + i) % variants.size();
          const std::size_t parts = (is_missing(variants[v].first[input]) ? 1U : 0U) +
                                    (is_missing(variants[v].next) ? 1U : 0U) + best_[s + 1][variants[v].output].parts;
          if (parts > best.parts) best = {parts, v};
        }
        best_[s].push_back(best);
      }
    }
  }

  const Space& space_;
  Draws& draws_;
  std::vector<Stage> stages_;                   // the last one is the head: it has only inputs
  std::vector<std::size_t> head_;               // the parts of the head, for each of its inputs
  std::map<std::string, std::size_t> numbers_;  // of all parts but the stem, which every network has
  std::vector<bool> missing_;
  std::size_t left_ = 0;
  std::vector<std::vector<Best>> best_;  // for each stage and input
};

}  // namespace

std::vector<Point> covering_points(const Space& space, std::int64_t more, std::uint64_t seed) {
  Draws draws({.seed = seed}, "covering points");
  std::vector<Point> points;
  std::set<Point> known;
  Cover cover(space, draws);
  while (!cover.complete()) {
    Point point = canonical(space, cover.next());  // of another point for the same network
    if (known.insert(point).second) points.push_back(std::move(point));
  }
  const std::int64_t covering = std::ssize(points);
  while (std::ssize(points) - covering < std::max(more, networks_to_check(std::ssize(points)))) {
    Point point = sample(space, draws);
    for (int draw = 1; draw < kMostTries && known.contains(point); ++draw) point = sample(space, draws);
    known.insert(point);
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace effnet::search
