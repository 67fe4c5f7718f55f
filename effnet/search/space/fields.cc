#include "effnet/search/space/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "effnet/arch/ranges.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/stage_form.h"

namespace effnet::search {
namespace {

using arch::StageSpec;

// The number of an option that read_options() has made.
template <class Number>
Number number_of(std::string_view option) {
  if (option.starts_with('+')) option.remove_prefix(1);  // from_chars reads no plus sign
  Number number{};
  const char* const end = option.data() + option.size();
  const std::from_chars_result result = std::from_chars(option.data(), end, number);
  EFFNET_CHECK(result.ec == std::errc() && result.ptr == end);
  return number;
}

void check_kernel(std::string_view option) {
  if (number_of<std::int64_t>(option) % 2 == 1) return;
  throw input_error("even kernel (got {}, expected an odd one, which does not change the size of a feature map)",
                    option);
}

constexpr double kMostLayers = arch::kRepeats.high;

constexpr std::array<Field, 8> kFields{{
    {.name = "block",
     .prefix = "",
     .type = OptionType::word,
     .apply = [](StageSpec& stage, const StageSpec&, std::string_view option) { stage.block = option; },
     .check = [](std::string_view option) { exchangeable_block(option); }},
    {.name = "kernel",
     .prefix = "k",
     .type = OptionType::integer,
     .low = arch::kKernel.low,
     .high = arch::kKernel.high,
     .apply = [](StageSpec& stage, const StageSpec&,
                 std::string_view option) { stage.kernel = number_of<std::int64_t>(option); },
     .check = check_kernel},
    {.name = "se",
     .prefix = "se",
     .type = OptionType::number,
     .low = arch::kFraction.low,
     .high = arch::kFraction.high,
     .apply = [](StageSpec& stage, const StageSpec&,
                 std::string_view option) { stage.se = number_of<double>(option); }},
    {.name = "skip",
     .prefix = "skip=",
     .type = OptionType::boolean,
     .apply = [](StageSpec& stage, const StageSpec&, std::string_view option) { stage.skip = option == "true"; }},
    {.name = "expand",
     .prefix = "e",
     .type = OptionType::integer,
     .low = arch::kExpand.low,
     .high = arch::kExpand.high,
     .apply = [](StageSpec& stage, const StageSpec&,
                 std::string_view option) { stage.expand = number_of<std::int64_t>(option); }},
    // Times the channels of the base.
    {.name = "width",
     .prefix = "w",
     .type = OptionType::number,
     .low = 0.01,
     .high = 100,
     .apply =
         [](StageSpec& stage, const StageSpec& base, std::string_view option) {
           stage.channels = arch::round_width(number_of<double>(option), base.channels);
         },
     .excludes = "channels"},
    {.name = "channels",
     .prefix = "c",
     .type = OptionType::integer,
     .low = arch::kChannels.low,
     .high = arch::kChannels.high,
     .apply = [](StageSpec& stage, const StageSpec&,
                 std::string_view option) { stage.channels = number_of<std::int64_t>(option); }},
    // Added to the repeats of the base. At least one block remains.
    {.name = "layers",
     .prefix = "l",
     .type = OptionType::offset,
     .low = -kMostLayers,
     .high = kMostLayers,
     .apply =
         [](StageSpec& stage, const StageSpec& base, std::string_view option) {
           stage.repeats = std::max<std::int64_t>(1, base.repeats + number_of<std::int64_t>(option));
         }},
}};

// The options in their text form. Equal values have equal texts.
std::vector<std::string> texts_of(const Field& field, const TomlTable& table) {
  std::vector<std::string> texts;
  const auto add_all = [&](const auto& values, auto text_of) {
    texts.reserve(values.size());
    for (const auto& value : values) texts.push_back(text_of(value));
  };
  const auto integers = [&] {
    return table.integers(field.name, static_cast<std::int64_t>(field.low), static_cast<std::int64_t>(field.high));
  };
  switch (field.type) {
    case OptionType::word:
      return table.texts(field.name);
    case OptionType::boolean:
      add_all(table.booleans(field.name), [](bool value) { return std::string(value ? "true" : "false"); });
      return texts;
    case OptionType::integer:
      add_all(integers(), [](std::int64_t value) { return fmt::format("{}", value); });
      return texts;
    case OptionType::offset:
      add_all(integers(), [](std::int64_t value) { return fmt::format("{:+}", value); });
      return texts;
    case OptionType::number:  // + 0.0 makes 0 of -0
      add_all(table.numbers(field.name, field.low, field.high),
              [](double value) { return fmt::format("{}", value + 0.0); });
      return texts;
  }
  throw internal_error("unknown type of option");
}

}  // namespace

std::span<const Field> fields() { return kFields; }

const Field& field_named(std::string_view name) {
  for (const Field& field : kFields) {
    if (field.name == name) return field;
  }
  throw internal_error("unknown field (got {})", in_quotes(name));
}

std::vector<std::string> read_options(const Field& field, const TomlTable& table) {
  std::vector<std::string> options = texts_of(field, table);
  if (options.size() > kMostOptions) {
    throw table.error(field.name,
                      fmt::format("too many options (got {}, expected at most {})", options.size(), kMostOptions));
  }
  for (auto option = options.begin(); option != options.end(); ++option) {
    if (std::find(options.begin(), option, *option) != option) {
      throw table.error(
          field.name, fmt::format("an option repeats (got {} twice, expected different options)", in_quotes(*option)));
    }
    if (field.check == nullptr) continue;
    try {
      field.check(*option);
    } catch (const Error& error) {
      throw table.error(field.name, error);
    }
  }
  return options;
}

}  // namespace effnet::search
