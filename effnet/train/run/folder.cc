#include "effnet/train/run/folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/report/csv.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCorruptHeader = "path,why\n";

// A folder with one of these contains a run, possibly one that was killed early.
constexpr const char* kRunFiles[] = {"config.toml", "metrics.csv", "checkpoints", "summary.json", "model.safetensors"};

// The files that AtomicFile writes. "next": the name under which a checkpoint is written.
// The second line: the files of fine-tuning.
constexpr const char* kAtomicFiles[] = {
    "config.toml",     "metrics.csv", "broken.csv",    "summary.json", "report.html",      "model.safetensors",
    "predictions.csv", "next",        "finetune.json", "split.csv",    "label_errors.csv", "near_duplicates.csv"};

Error unwritable(const fs::path& path) {
  return environment_error("{}: cannot write ({})", path.string(), std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (number_ < 0) throw unwritable(path);
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

// Removes the temporary files of AtomicFile that a killed process left. The caller must have the lock.
void remove_temporary_files(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool ours = std::any_of(std::begin(kAtomicFiles), std::end(kAtomicFiles),
                                  [&](const char* file) { return name.starts_with(fmt::format(".{}.", file)); });
    if (ours) fs::remove(entry.path(), ignored);
  }
}

// A CSV field. Line ends inside of it become blanks, so that each image has one line.
std::string field(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return report::csv_field(text);
}

// The text of metrics.csv without a byte order mark and with "\n" line ends, because an editor may have changed both.
// The length of the text then equals the length that the checkpoint stores.
std::string with_own_line_ends(std::string_view text) {
  text = without_bom(text);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!text.substr(i).starts_with("\r\n")) result += text[i];
  }
  return result;
}

}  // namespace

std::vector<std::int64_t> ranked_epochs(const std::vector<report::EpochMetrics>& metrics) {
  std::vector<std::pair<double, std::int64_t>> scores;
  for (const report::EpochMetrics& row : metrics) {
    if (row.score()) scores.emplace_back(-*row.score(), row.epoch);
  }
  std::sort(scores.begin(), scores.end());
  std::vector<std::int64_t> epochs;
  epochs.reserve(scores.size());
  for (const auto& [score, epoch] : scores) epochs.push_back(epoch);
  return epochs;
}

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code ignored;
  created_ = !fs::exists(folder_, ignored);
  make_folders(folder_);
  lock_ = FileLock::try_lock(folder_ / kLockFile);
  if (!lock_)
    throw environment_error("{}: another process is training in this folder", folder_.string())
        .with_hint("wait for that process or stop it, or use another folder for --out");
  remove_temporary_files(folder_);
  remove_temporary_files(folder_ / "checkpoints");
}

RunFolder::~RunFolder() {
  if (!lock_ || contains_run()) return;
  std::error_code ignored;
  fs::remove(folder_ / kLockFile, ignored);
  if (created_) fs::remove(folder_, ignored);  // does nothing if the folder is not empty
}

bool RunFolder::contains_run() const {
  return std::any_of(std::begin(kRunFiles), std::end(kRunFiles), [&](const char* trace) {
    std::error_code ignored;
    return fs::exists(folder_ / trace, ignored);
  });
}

std::optional<Summary> RunFolder::finished() const {
  std::error_code ignored;
  const fs::path file = folder_ / "summary.json";
  if (!fs::exists(file, ignored) || !fs::exists(folder_ / "report.html", ignored)) return std::nullopt;
  try {
    return parse_summary(read_text(file));
  } catch (const Error& error) {
    throw error.in(file.string()).with_hint("delete this file; --resume then writes it again");
  }
}

void RunFolder::mark_unfinished() const {
  std::error_code ignored;
  for (const char* name : {"report.html", "summary.json"}) fs::remove(folder_ / name, ignored);
}

bool RunFolder::has_model() const {
  std::error_code failure;
  const std::uintmax_t size = fs::file_size(folder_ / "model.safetensors", failure);
  return !failure && size > 0;
}

void RunFolder::remove_traces() const {
  std::error_code ignored;
  for (const char* file : {"config.toml", "metrics.csv"}) fs::remove(folder_ / file, ignored);
  std::vector<fs::path> events;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) events.push_back(entry.path());
  }
  for (const fs::path& file : events) fs::remove(file, ignored);
}

void RunFolder::write_config(const std::string& text) const { write_text(folder_ / "config.toml", text); }

void RunFolder::write_summary(const Summary& summary) const {
  write_text(folder_ / "summary.json", summary_text(summary));
}

std::uint64_t RunFolder::begin_metrics(std::uint64_t bytes, const Log& log) {
  const fs::path file = folder_ / "metrics.csv";
  metrics_.clear();
  if (bytes == 0) {
    write_text(file, report::metrics_header());
    return report::metrics_header().size();
  }
  std::error_code code;
  const std::string found = fs::exists(file, code) ? read_text(file) : "";
  std::string text = with_own_line_ends(found);
  text.resize(std::min<std::size_t>(text.size(), bytes));
  text.resize(text.rfind('\n') + 1);  // npos + 1 is 0
  std::string why = text.size() < bytes ? fmt::format("got {} bytes, expected {}", text.size(), bytes) : "";
  try {
    metrics_ = report::parse_metrics(text.empty() ? report::metrics_header() : text, file.string());
  } catch (const Error& error) {
    why = error.what();
    text.clear();
  }
  if (text.empty()) text = report::metrics_header();
  if (!why.empty())
    log(fmt::format("warning: {}: lines of finished epochs are missing ({}); continuing with the remaining {}",
                    file.string(), why, count_of(std::ssize(metrics_), "line")));
  if (found != text) write_text(file, text);
  return text.size();
}

std::uint64_t RunFolder::append_metrics(const report::EpochMetrics& row) {
  const fs::path file = folder_ / "metrics.csv";
  const Descriptor descriptor(file, O_WRONLY | O_APPEND);
  const off_t before = ::lseek(descriptor.get(), 0, SEEK_END);
  const std::string text = report::metrics_line(row);
  errno = ENOSPC;  // a short write sets no errno; its usual reason is a full disk
  const ssize_t written = ::write(descriptor.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()) || ::fsync(descriptor.get()) != 0) {
    const Error error = unwritable(file);
    if (::ftruncate(descriptor.get(), before) != 0) throw unwritable(file);  // the incomplete line could not be removed
    throw error;
  }
  metrics_.push_back(row);
  return static_cast<std::uint64_t>(before) + text.size();
}

void RunFolder::add_corrupt(const std::vector<std::pair<std::string, std::string>>& corrupt) const {
  const fs::path file = folder_ / "broken.csv";
  std::set<std::string> lines;
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    std::string text = read_text(file);
    for (std::size_t at = std::min(kCorruptHeader.size(), text.size()); at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines.insert(text.substr(at, end - at));
      at = end + 1;
    }
  }
  const std::size_t before = lines.size();
  for (const auto& [path, why] : corrupt) lines.insert(field(path) + "," + field(why));
  if (lines.size() == before) return;
  std::string text(kCorruptHeader);
  for (const std::string& line : lines) text += line + "\n";
  write_text(file, text);
}

}  // namespace effnet::train
