#include "effnet/train/run/checks.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallFiles = 1 << 20;  // metrics, predictions, events, the page

std::uint64_t checkpoint_bytes(Trainer& trainer) {
  constexpr std::uint64_t kEntry = 256;  // a tensor's name and place in the header
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : trainer.state()) bytes += static_cast<std::uint64_t>(tensor.nbytes()) + kEntry;
  return bytes;
}

std::uint64_t model_bytes(Trainer& trainer) {
  std::uint64_t floats = 0;
  for (const nn::ParameterStore::Entry& entry : trainer.weights()->entries())
    floats += static_cast<std::uint64_t>(entry.tensor.numel());
  return floats * sizeof(float);
}

// What lies there, each file once: names of checkpoints share files.
std::uint64_t bytes_below(const fs::path& folder) {
  std::set<ino_t> seen;
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode) || !seen.insert(status.st_ino).second)
      continue;
    bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return bytes;
}

std::string size_text(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 0x1p20); }

// A new file can be made there, and nothing but a file lies where one will be put.
void require_writable(const fs::path& folder, std::initializer_list<const char*> names) {
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) return;  // its folder is looked at
  const fs::path probe = folder / ".probe";
  write_text(probe, "");
  fs::remove(probe, ignored);
  for (const char* name : names) {
    const fs::path file = folder / name;
    if (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored))
      throw environment_error("{}: in the way of a file of this name (got no regular file)", file.string())
          .with_hint("move it away, or begin in another folder");
  }
}

}  // namespace

std::uint64_t disk_bytes_needed(const Recipe& recipe, std::uint64_t checkpoint, std::uint64_t model) {
  std::int64_t together = 3 + recipe.checkpoint_keep;
  if (recipe.checkpoint_every_steps == 0 && recipe.train.time_budget.empty() && recipe.train.epochs < 1e6)
    together = std::min(together, std::max<std::int64_t>(1, std::llround(std::ceil(recipe.train.epochs))));
  return static_cast<std::uint64_t>(together) * checkpoint + model + kSmallFiles;
}

void require_disk_space(const fs::path& folder, std::uint64_t bytes, std::uint64_t taken) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return;  // a file system that does not say
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (taken >= bytes || free >= bytes - taken) return;
  throw environment_error(
      "{}: too little room on the disk for the run's checkpoints and model (got {} free, expected {})", folder.string(),
      size_text(free), size_text(bytes - taken))
      .with_hint("make room, or take another disk by --out; checkpoint.keep=1 keeps the fewest checkpoints");
}

void check_run_can_finish(const RunFolder& folder, const Recipe& recipe, Trainer& trainer) {
  // The page reads config.toml again.
  try {
    parse_recipe(print(recipe), "config.toml");
  } catch (const Error& error) {
    throw input_error("the settings cannot be written to the run's configuration: {}", error.what())
        .with_hint("names of files in the recipe have to be UTF-8");
  }
  const fs::path& run = folder.path();
  const fs::path checkpoints = run / "checkpoints";
  require_writable(run, {"config.toml", "metrics.csv", "broken.csv", "model.safetensors", "predictions.csv",
                         "summary.json", "report.html"});
  require_writable(checkpoints, {"next", "last", "previous", "best"});
  require_disk_space(run, disk_bytes_needed(recipe, checkpoint_bytes(trainer), model_bytes(trainer)), bytes_below(checkpoints));
}

}  // namespace effnet::train
