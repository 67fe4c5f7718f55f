#include "effnet/arch/spec.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "effnet/arch/ranges.h"
#include "effnet/arch/text.h"
#include "effnet/base/names.h"
#include "effnet/base/preprocessing_rules.h"

namespace effnet::arch {
namespace {

constexpr NameTable<Activation, 6> kActivations{{{Activation::none, "none"},
                                                 {Activation::relu, "relu"},
                                                 {Activation::relu6, "relu6"},
                                                 {Activation::silu, "silu"},
                                                 {Activation::hard_swish, "hard_swish"},
                                                 {Activation::sigmoid, "sigmoid"}}};
constexpr NameTable<Padding, 3> kPaddings{
    {{Padding::same, "same"}, {Padding::symmetric, "symmetric"}, {Padding::valid, "valid"}}};
constexpr NameTable<DepthRounding, 2> kDepthRoundings{{{DepthRounding::up, "up"}, {DepthRounding::nearest, "nearest"}}};
constexpr NameTable<PoolKind, 3> kPools{
    {{PoolKind::none, "none"}, {PoolKind::max, "max"}, {PoolKind::average, "average"}}};

template <class Value, std::size_t kCount>
Value choice(const TomlTable& table, const NameTable<Value, kCount>& names, std::string_view key, Value otherwise) {
  const std::string text = table.text(key, std::string(name_in(names, otherwise)));
  try {
    return named_in(names, text, key);
  } catch (const Error& error) {
    throw table.error(key, error);
  }
}

// A text that is the name of something. `check` throws if it is not a known one; the default is.
template <class Check>
std::string known_name(const TomlTable& table, std::string_view key, const std::string& otherwise, Check check) {
  std::string value = table.text(key, otherwise);
  try {
    check(value);
  } catch (const Error& error) {
    throw table.error(key, error);
  }
  return value;
}

// For visit_*: reads each number from the table. An absent key keeps the spec's value.
auto reader(const TomlTable& table) {
  return [&table](std::string_view key, auto& value, const auto& range) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
      value = table.number(key, value, range.low, range.high);
    } else {
      value = table.integer(key, value, range.low, range.high);
    }
  };
}

StemSpec read_stem(const TomlTable& table, const ArchSpec& spec) {
  const StemSpec defaults;
  StemSpec stem;
  visit_stem(stem, reader(table));
  stem.activation = choice(table, kActivations, "activation", spec.activation);
  stem.padding = choice(table, kPaddings, "padding", spec.padding);
  stem.pool = choice(table, kPools, "pool", defaults.pool);
  stem.scale_width = table.boolean("scale_width", defaults.scale_width);
  table.finish();
  return stem;
}

StageSpec read_stage(const TomlTable& table) {
  const StageSpec defaults;
  StageSpec stage;
  stage.block = table.text("block", defaults.block);
  table.integer("channels", {}, kChannels.low, kChannels.high);  // required
  visit_stage(stage, reader(table));
  stage.skip = table.boolean("skip", defaults.skip);
  stage.stride_first = table.boolean("stride_first", defaults.stride_first);
  stage.scale_depth = table.boolean("scale_depth", defaults.scale_depth);
  table.finish();
  return stage;
}

HeadSpec read_head(const TomlTable& table, const ArchSpec& spec) {
  const HeadSpec defaults;
  HeadSpec head;
  visit_head(head, reader(table));
  head.activation = choice(table, kActivations, "activation", head.channels == 0 ? Activation::none : spec.activation);
  head.scale_width = table.boolean("scale_width", defaults.scale_width);
  table.finish();
  return head;
}

// Throws if `value` is none of the enumerators. Such a value can only come from a cast.
template <class Value, std::size_t kCount>
void check_known(const NameTable<Value, kCount>& table, const std::string& key, Value value) {
  for (const auto& entry : table) {
    if (entry.first == value) return;
  }
  throw input_error("{}: out of range (got {}, expected a value of the enumeration)", key, static_cast<int>(value));
}

bool has_stages(const ArchSpec& spec) {
  const auto count = static_cast<std::int64_t>(spec.stages.size());
  return count >= kStages.low && count <= kStages.high;
}

}  // namespace

void check(const ArchSpec& spec) {
  visit_network(spec, range_checker(""));
  check_known(kActivations, "activation", spec.activation);
  check_known(kPaddings, "padding", spec.padding);
  check_known(kDepthRoundings, "depth_rounding", spec.depth_rounding);
  visit_stem(spec.stem, range_checker("stem."));
  check_known(kActivations, "stem.activation", spec.stem.activation);
  check_known(kPaddings, "stem.padding", spec.stem.padding);
  check_known(kPools, "stem.pool", spec.stem.pool);
  if (!has_stages(spec)) {
    throw input_error("stages: out of range (got {}, expected {} to {})", spec.stages.size(), kStages.low,
                      kStages.high);
  }
  for (std::size_t i = 0; i < spec.stages.size(); ++i)
    visit_stage(spec.stages[i], range_checker(fmt::format("stages[{}].", i)));
  visit_head(spec.head, range_checker("head."));
  check_known(kActivations, "head.activation", spec.head.activation);
}

std::string_view name(Activation activation) { return name_in(kActivations, activation); }
std::string_view name(Padding padding) { return name_in(kPaddings, padding); }
std::string_view name(PoolKind kind) { return name_in(kPools, kind); }
std::string_view name(DepthRounding rounding) { return name_in(kDepthRoundings, rounding); }

ArchSpec read_spec(const TomlTable& table) {
  ArchSpec spec;
  spec.name = table.name("name");
  spec.family = table.text("family", spec.name);
  visit_network(spec, reader(table));
  spec.activation = choice(table, kActivations, "activation", spec.activation);
  spec.padding = choice(table, kPaddings, "padding", spec.padding);
  spec.scalable = table.boolean("scalable", spec.scalable);
  spec.depth_rounding = choice(table, kDepthRoundings, "depth_rounding", spec.depth_rounding);
  const Size size{spec.resolution, spec.resolution};
  const ArchSpec defaults;
  spec.preprocessing = known_name(table, "preprocessing", defaults.preprocessing, [&](const std::string& rule) {
    preprocessing_rule(rule, defaults.normalisation, size);
  });
  spec.normalisation = known_name(table, "normalisation", defaults.normalisation, [&](const std::string& text) {
    preprocessing_rule(defaults.preprocessing, text, size);
  });
  spec.stem = read_stem(table.table("stem"), spec);
  for (const TomlTable& stage : table.tables("stages")) spec.stages.push_back(read_stage(stage));
  if (!has_stages(spec)) {
    const std::string expected = fmt::format("{} to {} tables [[stages]]", kStages.low, kStages.high);
    if (!table.has("stages")) throw table.missing("stages", expected);
    throw table.error("stages",
                      fmt::format("wrong number of stages (got {}, expected {})", spec.stages.size(), expected));
  }
  spec.head = read_head(table.table("head"), spec);
  return spec;
}

ArchSpec parse(std::string_view text, std::string_view source) {
  const TomlTable table = TomlTable::parse(text, source);
  ArchSpec spec = read_spec(table);
  table.finish();
  return spec;
}

std::string print(const ArchSpec& spec) {
  std::string out;
  const auto line = [&](std::string_view key, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string> || std::is_same_v<Value, std::string_view>) {
      out += fmt::format("{} = {}\n", key, toml_value(std::string_view(value)));
    } else if constexpr (std::is_same_v<Value, double>) {
      out += fmt::format("{} = {}\n", key, toml_value(value));
    } else {
      out += fmt::format("{} = {}\n", key, value);
    }
  };
  line("name", spec.name);
  line("family", spec.family);
  line("resolution", spec.resolution);
  line("classes", spec.classes);
  line("activation", name(spec.activation));
  line("padding", name(spec.padding));
  line("bn_epsilon", spec.bn_epsilon);
  line("bn_momentum", spec.bn_momentum);
  line("dropout", spec.dropout);
  line("drop_path", spec.drop_path);
  line("scalable", spec.scalable);
  if (spec.depth_rounding != DepthRounding::up) line("depth_rounding", name(spec.depth_rounding));
  line("preprocessing", spec.preprocessing);
  line("normalisation", spec.normalisation);
  out += "\n[stem]\n";
  line("channels", spec.stem.channels);
  line("kernel", spec.stem.kernel);
  line("stride", spec.stem.stride);
  line("activation", name(spec.stem.activation));
  line("padding", name(spec.stem.padding));
  line("pool", name(spec.stem.pool));
  line("scale_width", spec.stem.scale_width);
  for (const StageSpec& stage : spec.stages) {
    out += "\n[[stages]]\n";
    line("block", stage.block);
    line("repeats", stage.repeats);
    line("channels", stage.channels);
    line("kernel", stage.kernel);
    line("stride", stage.stride);
    line("expand", stage.expand);
    line("se", stage.se);
    line("skip", stage.skip);
    line("stride_first", stage.stride_first);
    line("scale_depth", stage.scale_depth);
  }
  out += "\n[head]\n";
  line("channels", spec.head.channels);
  line("activation", name(spec.head.activation));
  line("scale_width", spec.head.scale_width);
  line("min_channels", spec.head.min_channels);
  return out;
}

}  // namespace effnet::arch
