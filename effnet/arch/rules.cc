#include "effnet/arch/rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::arch {
namespace {

constexpr std::int64_t kCapPx = 480;  // EfficientNetV2, section 3.3

Multipliers compound(const RuleInput& in) {
  return {.depth = in.dimensions.depth ? std::pow(in.coefficients.alpha, in.phi) : 1,
          .width = in.dimensions.width ? std::pow(in.coefficients.beta, in.phi) : 1,
          .resolution = in.dimensions.resolution ? std::pow(in.coefficients.gamma, in.phi) : 1};
}

// Each selected dimension gets an equal share of s. With all three: d = s^(1/3), w = r = s^(1/6).
Multipliers equal_shares(double phi, Dimensions dims) {
  const double share = phi / (int{dims.depth} + int{dims.width} + int{dims.resolution});
  return {.depth = dims.depth ? std::exp2(share) : 1,
          .width = dims.width ? std::exp2(share / 2) : 1,
          .resolution = dims.resolution ? std::exp2(share / 2) : 1};
}
Multipliers uniform(const RuleInput& in) { return equal_shares(in.phi, in.dimensions); }
Multipliers width(const RuleInput& in) { return equal_shares(in.phi, {false, true, false}); }
Multipliers depth(const RuleInput& in) { return equal_shares(in.phi, {true, false, false}); }
Multipliers resolution(const RuleInput& in) { return equal_shares(in.phi, {false, false, true}); }

// d = s^((1-a)/2), w = s^(a/2), r = s^((1-a)/4) with a = 0.8.
Multipliers fast(const RuleInput& in) {
  return {.depth = std::exp2(0.1 * in.phi), .width = std::exp2(0.4 * in.phi), .resolution = std::exp2(0.05 * in.phi)};
}

// As compound, with r at most kCapPx / base_px. A base larger than kCapPx does not grow in resolution (r is at most 1),
// and becomes smaller as in compound. The later stages become deeper by the factor (r of compound / r)^2 that the cap
// takes from the MACs.
Multipliers capped(const RuleInput& in) {
  Multipliers result = compound({in.phi, in.coefficients, {}, in.base_px});
  const double wanted = result.resolution;
  result.resolution = std::min(wanted, std::max(1.0, static_cast<double>(kCapPx) / in.base_px));
  result.late_depth = (wanted / result.resolution) * (wanted / result.resolution);
  return result;
}

// The published scalings of EfficientNet-B0 (224 px), from E to A.
struct TinyNet {
  double width, depth, px;
  double log_depth() const { return std::log2(depth); }
  double log_resolution() const { return std::log2(px / 224); }
  double phi() const { return log_depth() + 2 * std::log2(width) + 2 * log_resolution(); }  // 2^phi = d*w^2*r^2
};
constexpr std::array<TinyNet, 5> kTinyNets{
    {{0.51, 0.6, 106}, {0.54, 0.695, 152}, {0.54, 0.85, 184}, {0.75, 1.1, 188}, {1.0, 1.2, 192}}};

// The paper's regression for d and r is not published in numbers. So log d and log r are interpolated linearly in log s
// between the published networks. Outside their range d and r stay. w takes the rest: w = sqrt(s / (d*r^2)).
Multipliers tinynet(const RuleInput& in) {
  std::size_t next = 1;
  while (next + 1 < kTinyNets.size() && kTinyNets[next].phi() < in.phi) ++next;
  const TinyNet &low = kTinyNets[next - 1], &high = kTinyNets[next];
  const double part = std::clamp((in.phi - low.phi()) / (high.phi() - low.phi()), 0.0, 1.0);
  const double log_depth = std::lerp(low.log_depth(), high.log_depth(), part);
  const double log_resolution = std::lerp(low.log_resolution(), high.log_resolution(), part);
  return {.depth = std::exp2(log_depth),
          .width = std::exp2((in.phi - log_depth - 2 * log_resolution) / 2),
          .resolution = std::exp2(log_resolution)};
}

constexpr std::string_view kTanLe = "Tan & Le 2019, arXiv 1905.11946";
constexpr std::string_view kDollar = "Dollar, Singh, Girshick 2021, arXiv 2103.06877";

// The first row is the default.
constexpr std::array<Rule, 8> kRules{{
    {.name = "compound",
     .formula = "d = alpha^phi, w = beta^phi, r = gamma^phi",
     .source = kTanLe,
     .use = "higher accuracy than one dimension alone at equal MACs; needs a search for alpha, beta, gamma",
     .multipliers = compound,
     .has_coefficients = true,
     .has_dimensions = true},
    {.name = "uniform",
     .formula = "d = s^(1/3), w = s^(1/6), r = s^(1/6)",
     .source = kDollar,
     .use = "about as accurate as compound, without a search",
     .multipliers = uniform,
     .has_dimensions = true},
    {.name = "fast",
     .formula = "d = s^0.1, w = s^0.4, r = s^0.05",
     .source = kDollar,
     .use = "activations grow as s^0.6 instead of s^0.83, so it is faster where memory is the limit",
     .multipliers = fast},
    {.name = "width",
     .formula = "w = s^(1/2)",
     .source = kTanLe,
     .use = "one dimension alone, for comparison",
     .multipliers = width,
     .scales_resolution = false},
    {.name = "depth",
     .formula = "d = s",
     .source = kTanLe,
     .use = "one dimension alone, for comparison",
     .multipliers = depth,
     .scales_resolution = false},
    {.name = "resolution",
     .formula = "r = s^(1/2)",
     .source = kTanLe,
     .use = "one dimension alone, for comparison",
     .multipliers = resolution},
    {.name = "capped",
     .formula = "as compound, at most 480 px; beyond that the later stages become deeper",
     .source = "Tan & Le 2021 (EfficientNetV2), arXiv 2104.00298",
     .use = "less memory and time than compound for large networks",
     .multipliers = capped,
     .has_coefficients = true,
     .most_px = kCapPx},
    {.name = "tinynet",
     .formula = "d and r between TinyNet A to E, w = (s / (d*r^2))^(1/2)",
     .source = "Han et al. 2020, arXiv 2010.14819",
     .use = "networks smaller than the base; more accurate than compound with a negative phi",
     .multipliers = tinynet,
     .keeps_stem_and_head = true,
     .rounding = DepthRounding::nearest},
}};

}  // namespace

std::span<const Rule> rules() { return kRules; }

const Rule& rule(std::string_view name) { return row_named(kRules, name, ErrorCode::usage, "unknown scaling rule"); }

}  // namespace effnet::arch
