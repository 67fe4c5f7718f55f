#include "effnet/formats/sources.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/preprocessing_rules.h"

namespace effnet::formats {
namespace {

constexpr auto kSame = arch::Padding::same;
constexpr auto kSymmetric = arch::Padding::symmetric;
constexpr auto kBilinear = Filter::bilinear;
constexpr auto kBicubic = Filter::bicubic;

// Within a source, specific rows come before general ones. `crop / fraction` is the published short side after the
// resize. Example: torchvision resizes to 256 and crops 240 pixels, so the fraction is 240/256 = 0.9375.
constexpr SourceRule kRules[] = {
    // source, names, models, epsilon, padding, rule, normalisation, crop, fraction, filter
    {"torchvision", "*", "efficientnet_b0", 1e-5, kSymmetric, "torchvision", "imagenet", 224, 224 / 256., kBicubic},
    {"torchvision", "*", "efficientnet_b1", 1e-5, kSymmetric, "torchvision", "imagenet", 240, 240 / 256., kBicubic},
    {"torchvision", "*", "efficientnet_b2", 1e-5, kSymmetric, "torchvision", "imagenet", 288, 1, kBicubic},
    {"torchvision", "*", "efficientnet_b3", 1e-5, kSymmetric, "torchvision", "imagenet", 300, 300 / 320., kBicubic},
    {"torchvision", "*", "efficientnet_b4", 1e-5, kSymmetric, "torchvision", "imagenet", 380, 380 / 384., kBicubic},
    {"torchvision", "*", "efficientnet_b5", 1e-3, kSymmetric, "torchvision", "imagenet", 456, 1, kBicubic},
    {"torchvision", "*", "efficientnet_b6", 1e-3, kSymmetric, "torchvision", "imagenet", 528, 1, kBicubic},
    {"torchvision", "*", "efficientnet_b7", 1e-3, kSymmetric, "torchvision", "imagenet", 600, 1, kBicubic},
    {"torchvision", "*", "*", 1e-5, kSymmetric, "torchvision", "imagenet", 0, 0, kBilinear},

    // Weights that timm trained. The crops of B1 to B4 are the test sizes of the best published accuracies.
    {"timm", "timm", "efficientnet_b0", 1e-5, kSymmetric, "timm", "imagenet", 224, 0.875, kBicubic},
    {"timm", "timm", "efficientnet_b1", 1e-5, kSymmetric, "timm", "imagenet", 256, 1, kBicubic},
    {"timm", "timm", "efficientnet_b2", 1e-5, kSymmetric, "timm", "imagenet", 288, 1, kBicubic},
    {"timm", "timm", "efficientnet_b3", 1e-5, kSymmetric, "timm", "imagenet", 320, 1, kBicubic},
    {"timm", "timm", "efficientnet_b4", 1e-5, kSymmetric, "timm", "imagenet", 384, 1, kBicubic},
    {"timm", "timm", "resnet*", 1e-5, kSymmetric, "timm", "imagenet", 224, 0.875, kBilinear},
    {"timm", "timm", "*", 1e-5, kSymmetric, "timm", "imagenet", 0, 0, kBicubic},

    // timm's tf_* conversions of the official weights, under timm's names.
    {"tf", "timm", "efficientnet_b0", 1e-3, kSame, "timm", "imagenet", 224, 0.875, kBicubic},
    {"tf", "timm", "efficientnet_b1", 1e-3, kSame, "timm", "imagenet", 240, 0.882, kBicubic},
    {"tf", "timm", "efficientnet_b2", 1e-3, kSame, "timm", "imagenet", 260, 0.890, kBicubic},
    {"tf", "timm", "efficientnet_b3", 1e-3, kSame, "timm", "imagenet", 300, 0.904, kBicubic},
    {"tf", "timm", "efficientnet_b4", 1e-3, kSame, "timm", "imagenet", 380, 0.922, kBicubic},
    {"tf", "timm", "efficientnet_b5", 1e-3, kSame, "timm", "imagenet", 456, 0.934, kBicubic},
    {"tf", "timm", "efficientnet_b6", 1e-3, kSame, "timm", "imagenet", 528, 0.942, kBicubic},
    {"tf", "timm", "efficientnet_b7", 1e-3, kSame, "timm", "imagenet", 600, 0.949, kBicubic},
    {"tf", "timm", "efficientnet_b8", 1e-3, kSame, "timm", "imagenet", 672, 0.954, kBicubic},
    {"tf", "timm", "efficientnet_l2", 1e-3, kSame, "timm", "imagenet", 800, 0.960, kBicubic},
    {"tf", "timm", "efficientnet_lite0", 1e-3, kSame, "timm", "lite", 224, 0.875, kBicubic},
    {"tf", "timm", "efficientnet_lite1", 1e-3, kSame, "timm", "lite", 240, 0.882, kBicubic},
    {"tf", "timm", "efficientnet_lite2", 1e-3, kSame, "timm", "lite", 260, 0.890, kBicubic},
    {"tf", "timm", "efficientnet_lite3", 1e-3, kSame, "timm", "lite", 300, 0.904, kBilinear},
    {"tf", "timm", "efficientnet_lite4", 1e-3, kSame, "timm", "lite", 380, 0.920, kBilinear},
    {"tf", "timm", "efficientnet*", 1e-3, kSame, "timm", "", 0, 0, kBicubic},

    {"tf", "*", "*", 1e-3, kSame, "official", "", 0, 0, kBicubic},
    {"lukemelas", "*", "*", 1e-3, kSame, "official", "", 0, 0, kBicubic},
    {"effnet", "*", "*", 0, kSame, "", "", 0, 0, kBicubic},
};

bool fits(std::string_view pattern, std::string_view text) {
  if (!pattern.ends_with('*')) return pattern == text;
  pattern.remove_suffix(1);
  return text.starts_with(pattern);
}

std::string_view or_else(std::string_view text, std::string_view otherwise) { return text.empty() ? otherwise : text; }

}  // namespace

std::span<const SourceRule> source_rules() { return kRules; }

const SourceRule* find_source_rule(std::string_view source, std::string_view names, const arch::ArchSpec& spec) {
  for (const SourceRule& rule : kRules) {
    const bool model = fits(rule.models, spec.name) || fits(rule.models, spec.family);
    if (rule.source == source && fits(rule.names, names) && model) return &rule;
  }
  return nullptr;
}

std::vector<std::string_view> sources_using_names(std::string_view names, const arch::ArchSpec& spec) {
  std::vector<std::string_view> sources;
  for (const SourceRule& rule : kRules) {
    if (std::find(sources.begin(), sources.end(), rule.source) != sources.end()) continue;
    const SourceRule* found = find_source_rule(rule.source, names, spec);
    if (found && (rule.source == names || found->names == names)) sources.push_back(rule.source);
  }
  return sources;
}

bool source_uses_names(std::string_view source, std::string_view names) {
  return source == names || std::any_of(std::begin(kRules), std::end(kRules), [&](const SourceRule& rule) {
           return rule.source == source && rule.names == names;
         });
}

Numerics numerics_of(const SourceRule& rule, const arch::ArchSpec& spec) {
  Numerics numerics;
  const bool from_arch = rule.bn_epsilon == 0;
  numerics.bn_epsilon = from_arch ? spec.bn_epsilon : rule.bn_epsilon;
  numerics.padding = from_arch ? spec.padding : rule.padding;
  const std::int64_t side = rule.crop == 0 ? spec.resolution : rule.crop;
  Preprocessing& preprocessing = numerics.preprocessing;
  preprocessing = preprocessing_rule(or_else(rule.rule, spec.preprocessing),
                                     or_else(rule.normalisation, spec.normalisation), {side, side});
  if (rule.fraction != 0) {
    // 1e-9 makes 240 / (240/256) give 256 despite the rounding of the two divisions.
    const auto resized = static_cast<std::int64_t>(std::floor(static_cast<double>(side) / rule.fraction + 1e-9));
    preprocessing.resize = {resized, resized};
    preprocessing.filter = rule.filter;
  }
  return numerics;
}

arch::ArchSpec with_numerics(arch::ArchSpec spec, double bn_epsilon, arch::Padding padding) {
  if (spec.stem.padding == spec.padding) spec.stem.padding = padding;
  spec.padding = padding;
  spec.bn_epsilon = bn_epsilon;
  return spec;
}

}  // namespace effnet::formats
