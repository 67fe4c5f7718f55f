// A table of what a file of published weights does not contain: the batch-norm epsilon, the padding of the convolutions
// and the preprocessing. Here the three are called numerics. The same tensors give other results with other numerics.
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
  std::string_view names;          // naming scheme of the tensors (names.h); "*": any
  std::string_view models;         // an arch's name or family; a final '*' matches any rest
  double bn_epsilon;               // 0: the epsilon and the padding of the arch
  arch::Padding padding;           // ignored if bn_epsilon is 0
  std::string_view rule;           // name in effnet/base/preprocessing_rules.h; "": the rule of the arch
  std::string_view normalisation;  // "": the normalisation of the arch
  std::int64_t crop;               // published input size in pixels; 0: the resolution of the arch
  double fraction;                 // resize = floor(crop / fraction); 0: the resize and the filter of the rule
  Filter filter;                   // ignored if fraction is 0
};

struct Numerics {
  double bn_epsilon = 0;
  arch::Padding padding = arch::Padding::same;
  Preprocessing preprocessing;
};

std::span<const SourceRule> source_rules();
// Returns the first row that matches, or null.
const SourceRule* find_source_rule(std::string_view source, std::string_view names, const arch::ArchSpec& spec);
// Returns the sources that publish weights of this network under these names. If there are several, their weights have
// the same names and shapes, so a file does not show its source: timm's own EfficientNets and its tf_* conversions.
std::vector<std::string_view> sources_using_names(std::string_view names, const arch::ArchSpec& spec);
// Returns true if `names` is the source's own naming scheme, or occurs in one of the source's rows.
bool source_uses_names(std::string_view source, std::string_view names);
Numerics numerics_of(const SourceRule& rule, const arch::ArchSpec& spec);

// Returns `spec` with another epsilon and padding. The stem's padding changes only if it was equal to the network's.
arch::ArchSpec with_numerics(arch::ArchSpec spec, double bn_epsilon, arch::Padding padding);

}  // namespace effnet::formats
