#include "effnet/cli/output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "effnet/base/text.h"

namespace effnet::cli {
namespace {

// Control sequences of terminals (ECMA-48; wrapping: DEC private mode 7).
constexpr std::string_view kClearLine = "\r\033[K";
constexpr std::string_view kClearBelow = "\033[J";
constexpr std::string_view kNoWrap = "\033[?7l";
constexpr std::string_view kWrap = "\033[?7h";

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool is_regular_file(std::FILE* stream) {
  struct stat facts {};
  return ::fstat(::fileno(stream), &facts) == 0 && S_ISREG(facts.st_mode);
}

// The lines of an error.
constexpr std::string_view kError = "effnet: error: ";
constexpr std::string_view kHint = "hint: ";

std::string dump(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string json_text(const Json& document) { return dump(document, 2); }

std::string top5_text(double percent, std::int64_t classes) {
  return classes > 5 ? fmt::format(", top-5 {:.2f} %", percent) : "";
}

Output::Output(std::FILE* results, std::FILE* messages)
    : results_(results),
      messages_(messages),
      terminal_(::isatty(::fileno(messages)) != 0),
      results_terminal_(::isatty(::fileno(results)) != 0),
      results_file_(is_regular_file(results)) {}

void Output::print(std::string_view text) {
  if (!results_file_) clear_status();
  if (std::fwrite(text.data(), 1, text.size(), results_) != text.size() || std::fflush(results_) != 0) {
    throw environment_error("cannot write the result to stdout ({})", std::strerror(errno));
  }
}

void Output::print_json(const Json& document) { print(json_text(document) + "\n"); }

void Output::redraw(std::string_view text) {
  if (!results_terminal_) return;
  const std::string up = drawn_lines_ > 0 ? fmt::format("\033[{}A", drawn_lines_) : "";
  print(fmt::format("{}{}{}{}{}", up, kClearBelow, kNoWrap, printable(text), kWrap));
  drawn_lines_ = std::ranges::count(text, '\n');
}

void Output::print_json_line(const Json& element) { print(dump(element, -1) + "\n"); }

void Output::error(const Error& error) {
  // The error and the hint are one line each, even if the system's message or a file name contains line ends.
  write_line(fmt::format("{}{}", kError, one_line(error.what())));
  if (!error.hint().empty()) write_line(fmt::format("{}{}", kHint, one_line(error.hint())));
}

std::optional<Error> read_error(std::string_view messages, int exit_code) {
  constexpr std::array kCodes{ErrorCode::internal, ErrorCode::usage, ErrorCode::input, ErrorCode::environment,
                              ErrorCode::interrupted};
  const auto* const code = std::ranges::find(kCodes, exit_code, [](ErrorCode one) { return static_cast<int>(one); });
  const std::size_t at = messages.rfind(kError);
  if (code == kCodes.end() || at == std::string_view::npos || (at > 0 && messages[at - 1] != '\n')) return {};
  const std::string_view error = messages.substr(at + kError.size());
  const std::string_view what = error.substr(0, error.find('\n'));
  std::string_view next = error.substr(std::min(error.size(), what.size() + 1));
  next = next.substr(0, next.find('\n'));
  return Error(*code, std::string(what), next.starts_with(kHint) ? std::string(next.substr(kHint.size())) : "");
}

void Output::message(std::string_view text) { std::fwrite(text.data(), 1, text.size(), messages_); }

void Output::warn(std::string_view text) {
  if (!quiet_) write_line(fmt::format("effnet: warning: {}", one_line(text)));
}

void Output::say(std::string_view line) {
  if (!quiet_) write_line(printable(line));
}

void Output::note(std::string_view line) {
  if (shows_progress()) write_line(printable(line));
}

void Output::status(std::string_view line) {
  if (line.empty()) return clear_status();
  if (!shows_progress()) return;
  message(fmt::format("{}{}", kClearLine, printable(line)));
  status_shown_ = true;
}

void Output::clear_status() {
  if (!status_shown_) return;
  message(kClearLine);
  status_shown_ = false;
}

void Output::write_line(std::string_view text) {
  clear_status();
  message(fmt::format("{}\n", text));
}

Progress::Progress(Output& out, std::string_view what, std::int64_t total)
    : out_(out), what_(what), total_(total), start_s_(now_s()) {}

void Progress::update(std::int64_t done) {
  if (done == 0 || now_s() - last_s_ < 0.1) return;
  last_s_ = now_s();
  const double rate = static_cast<double>(done) / (last_s_ - start_s_);
  const double left = static_cast<double>(total_ - done) / rate;
  out_.status(fmt::format("{} {}/{}  {:.1f}/s  {} left", what_, done, total_, rate, time_text(left)));
}

void Steps::update(std::string_view what, std::int64_t done, std::int64_t total) {
  if (!progress_ || what != what_ || total != total_) {
    progress_.reset();
    progress_.emplace(out_, what, total);
    what_ = what;
    total_ = total;
  }
  progress_->update(done);
}

}  // namespace effnet::cli
