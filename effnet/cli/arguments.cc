#include "effnet/cli/arguments.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/cli/command.h"

namespace effnet::cli {
namespace {

// Parses all of `text` as a number. Returns false if it is not a number or out of range.
template <class Number>
bool parse_whole(std::string_view text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

struct Unit {
  std::string_view suffix;
  double factor;
};
constexpr std::array kUnits{Unit{"KiB", 1024.0},
                            Unit{"MiB", 1048576.0},
                            Unit{"GiB", 1073741824.0},
                            Unit{"TiB", 1099511627776.0},
                            Unit{"KB", 1e3},
                            Unit{"MB", 1e6},
                            Unit{"GB", 1e9},
                            Unit{"TB", 1e12},
                            Unit{"K", 1e3},
                            Unit{"k", 1e3},
                            Unit{"M", 1e6},
                            Unit{"G", 1e9},
                            Unit{"B", 1.0},
                            Unit{"T", 1e12},
                            Unit{"", 1.0}};

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

double parse_milliseconds(std::string_view flag, const std::string& text, double high) {
  char* end = nullptr;
  const double ms = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(ms > 0 && ms <= high))
    throw usage_error("{}: wrong value (got {}, expected a number of milliseconds above 0 and at most {})", flag,
                      in_quotes(text), high);
  return ms;
}

double parse_amount(std::string_view text, std::string_view flag) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc{}) {
    const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const Unit& unit : kUnits) {
      if (unit.suffix == suffix && std::isfinite(number) && number > 0) return number * unit.factor;
    }
  }
  throw usage_error("{}: not an amount (got {}, expected a number above zero such as 390M, 1.8G or 64MiB)", flag,
                    in_quotes(text));
}

std::vector<double> parse_budgets(std::string_view flag, const std::string& text) {
  std::vector<double> budgets;
  for (const std::string& part : split_list(text)) {
    const double value = parse_amount(part, flag);
    if (!budgets.empty() && value <= budgets.back())
      throw usage_error("{}: each round needs more than the one before (got {}, expected a list such as 2,6,18)", flag,
                        in_quotes(text));
    budgets.push_back(value);
  }
  return budgets;
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

bool is_stdout(std::string_view flag, std::string_view file, const Globals& globals) {
  if (file != "-") return false;
  if (globals.json)
    throw usage_error("{} - cannot be combined with --json: both write to stdout (got both, expected one of them)",
                      flag);
  return true;
}

void check_no_stdout(std::string_view flag, std::string_view file) {
  if (file == "-")
    throw usage_error("{}: this format cannot be written to stdout (got -, expected a file)", flag)
        .with_hint("use ./- for a file with the name -");
}

void check_not_input(std::string_view flag, const std::string& file, const std::string& input) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored) || !std::filesystem::equivalent(file, input, ignored)) return;
  throw usage_error("{}: the output file is the input file (got {}, expected another file)", flag, in_quotes(file))
      .with_hint("choose another name for the output");
}

}  // namespace effnet::cli
