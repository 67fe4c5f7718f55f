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

constexpr std::uint64_t kSmallFiles = 1 << 20;  // metrics, predictions, events and report.html

std::uint64_t checkpoint_bytes(Trainer& trainer) {
  constexpr std::uint64_t kEntry = 256;  // estimate for a tensor's entry in the file's header
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

// The total size of the files in `folder`. A file with several hard links counts once.
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

// Throws Error(environment) if no file can be created in `folder`, or if one of `names` exists and is not a regular
// file.
void require_writable(const fs::path& folder, std::initializer_list<const char*> names) {
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) return;  // created later; its parent folder is checked
  const fs::path probe = folder / ".probe";
  write_text(probe, "");
  fs::remove(probe, ignored);
  for (const char* name : names) {
    const fs::path file = folder / name;
    if (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored))
      throw environment_error(
          "{}: cannot be replaced by a file (got a folder or a special file, expected a regular file)", file.string())
          .with_hint("move it away, or start the run in another folder");
  }
}

}  // namespace

std::uint64_t disk_bytes_needed(const Recipe& recipe, std::uint64_t checkpoint, std::uint64_t model) {
  std::int64_t checkpoints = 3 + recipe.checkpoint_keep;
  if (recipe.checkpoint_every_steps == 0 && recipe.train.time_budget.empty() && recipe.train.epochs < 1e6)
    checkpoints = std::min(checkpoints, std::max<std::int64_t>(1, std::llround(std::ceil(recipe.train.epochs))));
  return static_cast<std::uint64_t>(checkpoints) * checkpoint + model + kSmallFiles;
}

void require_disk_space(const fs::path& folder, std::uint64_t bytes, std::uint64_t taken) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return;  // the file system does not report its free space
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (taken >= bytes || free >= bytes - taken) return;
  throw environment_error("{}: too little disk space for the run's checkpoints and model (got {} free, expected {})",
                          folder.string(), size_text(free), size_text(bytes - taken))
      .with_hint("free some space, or use another disk with --out; checkpoint.keep=1 needs the least space");
}

void check_run_can_finish(const RunFolder& folder, const Recipe& recipe, Trainer& trainer) {
  // report.html is made from config.toml, so parse_recipe() must be able to read config.toml.
  try {
    parse_recipe(print(recipe), "config.toml");
  } catch (const Error& error) {
    throw input_error("the settings cannot be written to config.toml: {}", error.what())
        .with_hint("file names in the recipe must be UTF-8");
  }
  const fs::path& run = folder.path();
  const fs::path checkpoints = run / "checkpoints";
  require_writable(run, {"config.toml", "metrics.csv", "broken.csv", "model.safetensors", "predictions.csv",
                         "summary.json", "report.html"});
  require_writable(checkpoints, {"next", "last", "previous", "best"});
  require_disk_space(run, disk_bytes_needed(recipe, checkpoint_bytes(trainer), model_bytes(trainer)),
                     bytes_below(checkpoints));
}

}  // namespace effnet::train
