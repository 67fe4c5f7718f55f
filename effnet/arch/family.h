// The named networks: arch/*.toml of the repository, built into the binary. A file contains one ArchSpec and optional
// [[variants]] that scale it. A new family needs only a new file (docs/adding-a-model.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/rules.h"
#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

struct Published {           // the paper's figures as printed; empty if the paper gives none
  std::string params, macs;  // "5.3M", "0.39B"
};

// How a publication raises the dropout of larger networks: linearly in phi, to `most` and no further.
struct DropoutRule {
  const Rule* rule = nullptr;  // the scaling rule that phi belongs to
  double per_phi = 0;
  double most = 0;
};

struct Variant {
  std::string name;
  std::string base;                  // name of the unscaled ArchSpec in the same file
  std::int64_t base_resolution = 0;  // its input side in pixels
  double width = 1;                  // width and depth: the published coefficients, which are rounded; 1: unscaled
  double depth = 1;
  std::int64_t resolution = 0;
  Published published;
  ArchSpec spec;                                 // scaled
  std::optional<DropoutRule> dropout_rule = {};  // of the family
};

// The dropout that the publication of the family gives to `base` scaled by phi, rounded to 0.001. Empty if it gives
// none: for another rule, for a part of the dimensions, and for networks smaller than the base (phi below 0).
EFFNET_API std::optional<double> published_dropout(const Variant& base, const RuleChoice& choice, double phi);

// All named networks, in the order of `effnet models`. Parsed once, at first use (thread-safe).
EFFNET_API const std::vector<Variant>& family();
EFFNET_API const Variant* find_variant(std::string_view name);  // null if the name is unknown
// Throws Error(input) with the nearest name. `expected`: what the caller accepts, for the message.
EFFNET_API const Variant& variant(std::string_view name, std::string_view expected = "a name from 'effnet models'");
// Parses one family file. Throws Error(input) with SOURCE:LINE:COLUMN.
EFFNET_API std::vector<Variant> parse_family(std::string_view text, std::string_view source);

}  // namespace effnet::arch
