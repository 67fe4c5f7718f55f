#include "effnet/cli/output.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>

#include "effnet/base/text.h"

namespace effnet::cli {
namespace {

bool warnings_off = false;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string dump(const Json& document, int indent) {
  // Paths may hold any bytes; JSON may not.
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw environment_error("cannot write the result to stdout ({})", std::strerror(errno));
  }
}

void print_json(const Json& document) { print(dump(document, 2) + "\n"); }
void print_json_line(const Json& element) { print(dump(element, -1) + "\n"); }

bool is_stdout(std::string_view flag, std::string_view file, const Globals& globals) {
  if (file != "-") return false;
  if (globals.json) throw usage_error("{} -: stdout has one document (got --json too, expected one of them)", flag);
  return true;
}

void check_no_stdout(std::string_view flag, std::string_view file) {
  if (file == "-")
    throw usage_error("{}: not a text for stdout (got -, expected a file)", flag)
        .with_hint("./- is a file of that name");
}

void check_not_input(std::string_view flag, const std::string& file, const std::string& input) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored) || !std::filesystem::equivalent(file, input, ignored)) return;
  throw usage_error("{}: the result would replace what it is made of (got {}, expected another file)", flag,
                    in_quotes(file))
      .with_hint("choose another name; effnet overwrites results, never its input");
}

void print_error(const Error& error) {
  // One line each, whatever the system or a file's name said.
  std::fprintf(stderr, "effnet: error: %s\n", one_line(error.what()).c_str());
  if (!error.hint().empty()) std::fprintf(stderr, "hint: %s\n", one_line(error.hint()).c_str());
}

void set_quiet(bool quiet) { warnings_off = quiet; }

void warn(std::string_view message) {
  if (!warnings_off) std::fprintf(stderr, "effnet: warning: %s\n", one_line(message).c_str());
}

void note(std::string_view message) {
  if (!warnings_off && ::isatty(STDERR_FILENO) != 0)
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
}

Progress::Progress(std::string_view what, std::int64_t total, const Globals& globals)
    : what_(what), total_(total), shown_(!globals.quiet && ::isatty(STDERR_FILENO) != 0), start_s_(now_s()) {}

Progress::~Progress() {
  if (shown_ && last_s_ > 0) std::fprintf(stderr, "\r\033[K");
}

void Progress::update(std::int64_t done) {
  if (!shown_ || done == 0 || now_s() - last_s_ < 0.1) return;
  last_s_ = now_s();
  const double rate = static_cast<double>(done) / (last_s_ - start_s_);
  const double left = static_cast<double>(total_ - done) / rate;
  std::fprintf(stderr, "\r\033[K%s %lld/%lld  %.1f/s  %d:%02d left", what_.c_str(), static_cast<long long>(done),
               static_cast<long long>(total_), rate, static_cast<int>(left) / 60, static_cast<int>(left) % 60);
}

void add_number(CLI::App& app, const std::string& name, int& value, int low, int high, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value, name, low, high](const std::string& text) {
           const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
           if (code != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
             throw usage_error("{}: wrong value (got {}, expected a whole number from {} to {})", name, in_quotes(text),
                               low, high);
           }
         },
         help)
      ->type_name("N");
}

void add_seed(CLI::App& app, std::uint64_t& seed, const std::string& help) {
  app.add_option_function<std::string>(
         "--seed",
         [&seed](const std::string& text) {
           const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seed);
           if (code != std::errc{} || end != text.data() + text.size())
             throw usage_error("--seed: wrong value (got {}, expected a whole number from 0 to {})", in_quotes(text),
                               std::numeric_limits<std::uint64_t>::max());
         },
         help)
      ->type_name("N");
}

void add_numbers(CLI::App& app, const std::string& name, std::vector<int>& values, int high, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&values, name, high](const std::string& text) {
           values.clear();
           for (const std::string& part : split_list(text)) values.push_back(parse_count(name, part, high));
         },
         help)
      ->type_name("N");
}

int parse_count(std::string_view what, std::string_view text, int high) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 1 || value > high)
    throw usage_error("{}: wrong value (got {}, expected a whole number from 1 to {})", what, in_quotes(text), high);
  return value;
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

double shortest(float value) {
  std::array<char, 32> buffer{};
  const auto [end, code] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  double result = 0;
  std::from_chars(buffer.data(), end, result);
  return result;
}

}  // namespace effnet::cli
