#include "effnet/arch/family.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "effnet/arch/ranges.h"
#include "effnet/arch/scaling.h"
#include "effnet/arch/text.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"

namespace effnet::arch {

// File name and text of each arch/*.toml. CMake generates the definition.
std::span<const std::pair<std::string_view, std::string_view>> embedded_family_files();

namespace {

// The table [dropout_rule]: `dropout` at `phi`; at phi = 0 the dropout of the file's network.
std::optional<DropoutRule> read_dropout_rule(const TomlTable& table, const ArchSpec& base) {
  if (!table.has("dropout_rule")) return {};
  const TomlTable row = table.table("dropout_rule");
  DropoutRule dropout;
  const std::string name = row.text("rule");
  try {
    dropout.rule = &rule(name);
  } catch (const Error& error) {
    throw row.error("rule", error);
  }
  constexpr double kSmallest = 0.01;
  dropout.most = row.number("dropout", {}, base.dropout, kDropRate.high);
  dropout.per_phi = (dropout.most - base.dropout) / row.number("phi", {}, kSmallest, kLargestPhi);
  row.finish();
  return dropout;
}

}  // namespace

std::vector<Variant> parse_family(std::string_view text, std::string_view source) {
  const TomlTable table = TomlTable::parse(text, source);
  const ArchSpec base = read_spec(table);
  std::vector<Variant> variants;
  for (const TomlTable& row : table.tables("variants")) {
    Variant variant;
    variant.name = row.text("name");
    variant.base = base.name;
    variant.base_resolution = base.resolution;
    variant.width = row.number("width", 1.0, 0.01, 100);
    variant.depth = row.number("depth", 1.0, 0.01, 100);
    variant.resolution = row.integer("resolution", base.resolution, kResolution.low, kResolution.high);
    variant.published = {row.text("paper_params", ""), row.text("paper_macs", "")};
    ArchSpec unscaled = base;
    unscaled.dropout = row.number("dropout", base.dropout, kDropRate.low, kDropRate.high);
    const std::vector<std::int64_t> repeats = row.integers("repeats", kRepeats.low, kRepeats.high);
    if (!repeats.empty() && repeats.size() != base.stages.size()) {
      throw row.error("repeats", fmt::format("wrong number of values (got {}, expected {}: one per stage)",
                                             repeats.size(), base.stages.size()));
    }
    for (std::size_t i = 0; i < repeats.size(); ++i) unscaled.stages[i].repeats = repeats[i];
    row.finish();
    variant.spec = scaled(unscaled, variant.depth, variant.width, variant.resolution);
    variant.spec.name = variant.name;
    variants.push_back(std::move(variant));
  }
  const std::optional<DropoutRule> dropout_rule = read_dropout_rule(table, base);
  table.finish();
  if (variants.empty()) variants.push_back({base.name, base.name, base.resolution, 1, 1, base.resolution, {}, base});
  for (Variant& variant : variants) variant.dropout_rule = dropout_rule;
  return variants;
}

std::optional<double> published_dropout(const Variant& base, const RuleChoice& choice, double phi) {
  const std::optional<DropoutRule>& dropout = base.dropout_rule;
  if (!dropout || dropout->rule != choice.rule || choice.dimensions != Dimensions{} || phi < 0) return {};
  const double own = base.spec.dropout;
  const double raised = std::min(own + dropout->per_phi * phi, std::max(own, dropout->most));
  constexpr double kRounding = 1000;
  return std::round(kRounding * raised) / kRounding;
}

const std::vector<Variant>& family() {
  static const std::vector<Variant> all = [] {
    std::vector<Variant> result;
    for (const auto& [file, text] : embedded_family_files()) {
      for (Variant& variant : parse_family(text, file)) result.push_back(std::move(variant));
    }
    return result;
  }();
  return all;
}

const Variant* find_variant(std::string_view name) {
  for (const Variant& variant : family()) {
    if (variant.name == name) return &variant;
  }
  return nullptr;
}

const Variant& variant(std::string_view name, std::string_view expected) {
  if (const Variant* found = find_variant(name)) return *found;
  throw input_error("unknown model (got {}, expected {})", in_quotes(name), expected)
      .with_hint(nearest_hint(name, names_of(family()), "effnet models lists the names"));
}

}  // namespace effnet::arch
