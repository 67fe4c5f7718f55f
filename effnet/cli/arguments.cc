#include "effnet/cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/cli/command.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Parses all of `text` as a number. Returns false if it is not a number or out of range.
template <class Number>
bool parse_whole(std::string_view text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

// What may stand behind the number of a value of a cost.
struct Suffix {
  graph::CostUnit unit;
  std::string_view text;
  double factor;
};
using graph::CostUnit;
constexpr std::array kSuffixes{
    Suffix{CostUnit::number, "", 1.0},
    Suffix{CostUnit::number, "K", 1e3},
    Suffix{CostUnit::number, "k", 1e3},
    Suffix{CostUnit::number, "M", 1e6},
    Suffix{CostUnit::number, "G", 1e9},
    Suffix{CostUnit::number, "T", 1e12},
    Suffix{CostUnit::bytes, "", 1.0},
    Suffix{CostUnit::bytes, "B", 1.0},
    Suffix{CostUnit::bytes, "K", 1e3},
    Suffix{CostUnit::bytes, "k", 1e3},
    Suffix{CostUnit::bytes, "M", 1e6},
    Suffix{CostUnit::bytes, "G", 1e9},
    Suffix{CostUnit::bytes, "T", 1e12},
    Suffix{CostUnit::bytes, "KB", 1e3},
    Suffix{CostUnit::bytes, "MB", 1e6},
    Suffix{CostUnit::bytes, "GB", 1e9},
    Suffix{CostUnit::bytes, "TB", 1e12},
    Suffix{CostUnit::bytes, "KiB", 1024.0},
    Suffix{CostUnit::bytes, "MiB", 1048576.0},
    Suffix{CostUnit::bytes, "GiB", 1073741824.0},
    Suffix{CostUnit::bytes, "TiB", 1099511627776.0},
    Suffix{CostUnit::milliseconds, "", 1.0},
    Suffix{CostUnit::milliseconds, "ms", 1.0},
};
constexpr double kMostMs = 60'000;  // a minute: the search for a latency measures many networks

std::string expected_cost(std::string_view cost) {
  const graph::CountedCost* const counted = graph::find_counted_cost(cost);
  if (counted == nullptr)
    return fmt::format("a number of milliseconds above 0 and at most {}, such as 12 or 12ms", kMostMs);
  return fmt::format("a number of {} above 0, such as {}", counted->plural,
                     counted->unit == CostUnit::bytes ? "20MB or 64MiB" : "390M or 1.8G");
}

}  // namespace

int parse_integer(std::string_view flag, std::string_view text, int low, int high) {
  int value = 0;
  if (!parse_whole(text, value) || value < low || value > high)
    throw usage_error("{}: wrong value (got {}, expected a whole number from {} to {})", flag, in_quotes(text), low,
                      high);
  return value;
}

std::vector<int> parse_counts(std::string_view flag, std::string_view text, int high) {
  std::vector<int> values;
  for (const std::string& part : split_list(text)) values.push_back(parse_integer(flag, part, 1, high));
  return values;
}

std::uint64_t parse_seed(std::string_view text) {
  std::uint64_t seed = 0;
  if (!parse_whole(text, seed))
    throw usage_error("--seed: wrong value (got {}, expected a whole number from 0 to {})", in_quotes(text),
                      std::numeric_limits<std::uint64_t>::max());
  return seed;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::array<double, 3> parse_triple(std::string_view flag, const std::string& text, double low) {
  std::array<double, 3> values{};
  std::istringstream in(text);
  std::string part;
  std::size_t count = 0;
  while (std::getline(in, part, ',')) {
    char* end = nullptr;
    const double value = std::strtod(part.c_str(), &end);
    if (count == 3 || part.empty() || *end != '\0' || !(value > low) || value > 1e6) {
      count = 0;
      break;
    }
    values[count++] = value;
  }
  if (count != 3) {
    throw usage_error("{}: wrong value (got {}, expected three numbers such as 0.485,0.456,0.406)", flag,
                      in_quotes(text));
  }
  return values;
}

double parse_cost(std::string_view flag, std::string_view text, std::string_view cost) {
  const CostUnit unit = graph::unit_of(cost);
  const double most = unit == CostUnit::milliseconds ? kMostMs : std::numeric_limits<double>::max();
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc{} && number > 0) {
    const std::string_view given = trimmed({end, static_cast<std::size_t>(text.data() + text.size() - end)});
    for (const Suffix& suffix : kSuffixes) {
      if (suffix.unit == unit && suffix.text == given && number * suffix.factor <= most) return number * suffix.factor;
    }
  }
  throw usage_error("{}: wrong value (got {}, expected {})", flag, in_quotes(text), expected_cost(cost));
}

std::vector<double> parse_epochs(std::string_view flag, std::string_view text) {
  const train::Setting& setting = *train::find_setting("train.epochs");
  std::vector<double> epochs;
  for (const std::string& part : split_list(text)) {
    double value = 0;
    if (!parse_whole(part, value) || !train::accepts(setting, value))
      throw usage_error("{}: wrong number of epochs (got {}, expected {})", flag, in_quotes(part),
                        train::expected_text(setting));
    if (!epochs.empty() && value <= epochs.back())
      throw usage_error("{}: each round needs more than the one before (got {}, expected a list such as 2,6,18)", flag,
                        in_quotes(text));
    epochs.push_back(value);
  }
  return epochs;
}

Size parse_resolution(std::string_view text) {
  const auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (code != std::errc{} || end != part.data() + part.size() || value < 1 || value > 65535) {
      throw usage_error("--resolution: not a size (got {}, expected pixels such as 224, or HxW such as 300x200)",
                        in_quotes(text));
    }
    return value;
  };
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) {
    const std::int64_t side = number(text);
    return {side, side};
  }
  return {number(text.substr(0, cross)), number(text.substr(cross + 1))};
}

void add_number(CLI::App& app, const std::string& flag, int& value, int low, int high, const std::string& help) {
  app.add_option_function<std::string>(
         flag, [&value, flag, low, high](const std::string& text) { value = parse_integer(flag, text, low, high); },
         help)
      ->type_name("N");
}

void add_numbers(CLI::App& app, const std::string& flag, std::vector<int>& values, int high, const std::string& help) {
  app.add_option_function<std::string>(
         flag, [&values, flag, high](const std::string& text) { values = parse_counts(flag, text, high); }, help)
      ->type_name("N");
}

void add_seed(CLI::App& app, std::uint64_t& seed, const std::string& help) {
  app.add_option_function<std::string>(
         "--seed", [&seed](const std::string& text) { seed = parse_seed(text); }, help)
      ->type_name("N");
}

}  // namespace effnet::cli
