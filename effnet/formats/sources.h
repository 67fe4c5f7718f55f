// The numerics and the preprocessing that go with published weights, as data: the same tensors compute something else
// under another epsilon or padding, and no file says which.
// Source: docs/reference/checkpoints.md, sections 3 and 4.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/preprocessing.h"

namespace effnet::formats {

struct SourceRule {
  std::string_view source;         // who trained or converted the weights: torchvision, timm, tf, lukemelas, effnet
  std::string_view names;          // whose names the tensors carry; "*": any
  std::string_view models;         // an arch's name or family; a final '*' stands for any rest
  double bn_epsilon;               // 0: the arch's
  arch::Padding padding;           // ignored where bn_epsilon is 0
  std::string_view rule;           // of effnet/base/preprocessing_rules.h; "": the arch's
  std::string_view normalisation;  // "": the arch's
  std::int64_t crop;               // published input side; 0: the arch's
  double fraction;                 // resize = floor(crop / fraction); 0: the rule's
  Filter filter;                   // where fraction is not 0
};

struct Numerics {
  double bn_epsilon = 0;
  arch::Padding padding = arch::Padding::same;
  Preprocessing preprocessing;
};

std::span<const SourceRule> source_rules();
// The first row that fits, null if there is none.
const SourceRule* find_source_rule(std::string_view source, std::string_view names, const arch::ArchSpec& spec);
// Whose weights of this network are published under these names. More than one: names and shapes cannot tell them apart
// (timm's own EfficientNets and its tf_* ones).
std::vector<std::string_view> sources_under(std::string_view names, const arch::ArchSpec& spec);
bool may_carry(std::string_view source, std::string_view names);
Numerics numerics_of(const SourceRule& rule, const arch::ArchSpec& spec);

// The spec with other numerics; the stem's padding follows if it was the network's.
arch::ArchSpec with_numerics(arch::ArchSpec spec, double bn_epsilon, arch::Padding padding);

}  // namespace effnet::formats
