// The numerics (epsilon, padding) and preprocessing of published weights, as a table. The same tensors give other
// results with another epsilon or padding, and weight files do not contain these values.
// Source: docs/reference/checkpoints.md, sections 3 and 4.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"

namespace effnet::formats {

struct SourceRule {
  std::string_view source;         // project that trained or converted the weights: torchvision, timm, tf, ...
  std::string_view names;          // naming scheme of the tensors; "*": any
  std::string_view models;         // an arch's name or family; a final '*' matches any rest
  double bn_epsilon;               // 0: the arch's value
  arch::Padding padding;           // ignored if bn_epsilon is 0
  std::string_view rule;           // name in effnet/base/preprocessing_rules.h; "": the arch's
  std::string_view normalisation;  // "": the arch's
  std::int64_t crop;               // published input size in pixels; 0: the arch's
  double fraction;                 // resize = floor(crop / fraction); 0: as in the rule
  Filter filter;                   // used if fraction is not 0
};

struct Numerics {
  double bn_epsilon = 0;
  arch::Padding padding = arch::Padding::same;
  Preprocessing preprocessing;
};

std::span<const SourceRule> source_rules();
// Returns the first row that matches, or null.
const SourceRule* find_source_rule(std::string_view source, std::string_view names, const arch::ArchSpec& spec);
// Returns the sources that publish weights of this network under these names. If there are several, names and shapes
// cannot decide between them (timm's own EfficientNets and its tf_* conversions).
std::vector<std::string_view> sources_using_names(std::string_view names, const arch::ArchSpec& spec);
bool source_uses_names(std::string_view source, std::string_view names);  // its own scheme, or one in its rows
Numerics numerics_of(const SourceRule& rule, const arch::ArchSpec& spec);

// Returns `spec` with other numerics. The stem's padding changes too if it was equal to the network's.
arch::ArchSpec with_numerics(arch::ArchSpec spec, double bn_epsilon, arch::Padding padding);

}  // namespace effnet::formats
