// Scaling rules: from a number phi to multipliers of depth, width and resolution. rules.cc has the table: a new rule is
// one new row. docs/reference/scaling.md has the sources.
//
// d, w and r are the multipliers of depth (blocks per stage), width (channels) and resolution (pixels). In a network of
// convolutions the MACs grow as s = d*w^2*r^2 (Tan & Le 2019, section 3.3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

// Of the compound rule. Defaults: the paper's grid search on B0 (section 4, step 1).
struct Coefficients {
  double alpha = 1.2;
  double beta = 1.1;
  double gamma = 1.15;
  double constraint() const { return alpha * beta * beta * gamma * gamma; }  // about 2: the cost grows by 2^phi
  friend bool operator==(const Coefficients&, const Coefficients&) = default;
};

struct Dimensions {  // which dimensions a rule scales
  bool depth = true;
  bool width = true;
  bool resolution = true;
  friend bool operator==(const Dimensions&, const Dimensions&) = default;
};

struct Multipliers {
  double depth = 1;
  double width = 1;
  double resolution = 1;
  double late_depth = 1;  // a further multiplier of the depth of the later stages (see scaled())
};

struct RuleInput {
  double phi = 0;  // 0: the base (except tinynet)
  Coefficients coefficients;
  Dimensions dimensions;
  double base_px = 0;  // resolution of the base
};

// One row of the table.
struct Rule {
  std::string_view name;     // of --rule
  std::string_view formula;  // for people
  std::string_view source;   // the publication
  std::string_view use;      // what its source says about it
  // No multiplier decreases when phi grows.
  Multipliers (*multipliers)(const RuleInput& input);
  bool has_coefficients = false;  // uses RuleInput::coefficients; s = constraint^phi. Without: s = 2^phi
  bool has_dimensions = false;    // uses RuleInput::dimensions
  bool scales_resolution = true;
  std::int64_t most_px = 0;                    // the resolution does not grow to more than this; 0: no limit
  bool keeps_stem_and_head = false;            // their channels stay as in the base
  std::optional<DepthRounding> rounding = {};  // default: the base's
};

EFFNET_API std::span<const Rule> rules();
// Throws Error(usage) with the known names.
EFFNET_API const Rule& rule(std::string_view name);

// A rule with its settings.
struct RuleChoice {
  const Rule* rule = &rules().front();  // compound
  Coefficients coefficients = {};
  Dimensions dimensions = {};
  // The factor on the MACs for one unit of phi.
  double base_of_s() const { return rule->has_coefficients ? coefficients.constraint() : 2; }
};

}  // namespace effnet::arch
