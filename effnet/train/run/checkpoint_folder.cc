#include "effnet/train/run/checkpoint_folder.h"

#include <algorithm>
#include <charconv>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEpoch = "epoch-";

// Makes `name` a second name of `file`, or a copy of it if the file system has no hard links. An existing `name` is
// replaced atomically: it is always a complete file.
void link_as(const fs::path& file, const fs::path& name) {
  const fs::path temporary = name.parent_path() / ("." + name.filename().string() + ".new");
  std::error_code code;
  fs::remove(temporary, code);
  fs::create_hard_link(file, temporary, code);
  if (code) fs::copy_file(file, temporary, code);
  if (!code) fs::rename(temporary, name, code);
  std::error_code ignored;
  fs::remove(temporary, ignored);  // rename() does nothing if both are names of the same file
  if (code) throw environment_error("{}: cannot write ({})", name.string(), code.message());
}

std::int64_t epoch_of(const fs::path& file) {
  const std::string name = file.filename().string();
  std::int64_t epoch = -1;
  if (name.starts_with(kEpoch)) std::from_chars(name.data() + kEpoch.size(), name.data() + name.size(), epoch);
  return epoch;
}

}  // namespace

bool CheckpointFolder::empty() const {
  std::error_code ignored;
  return !fs::exists(folder_ / "last", ignored) && !fs::exists(folder_ / "previous", ignored);
}

fs::path CheckpointFolder::newest_intact(const Log& log) const {
  std::string why;  // the damage of the file in `damaged`
  fs::path damaged;
  for (const char* name : {"last", "previous"}) {
    const fs::path file = folder_ / name;
    std::error_code ignored;
    if (!fs::exists(file, ignored)) continue;
    try {
      open_checkpoint(file);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      why = error.what();
      damaged = file;
      continue;
    }
    if (damaged.empty()) return file;
    log(fmt::format("{}: not used, resuming from the previous checkpoint", why));
    // The damaged file must not stay `last`: write() would rename it to `previous` and so replace the intact one. It is
    // renamed only now, because an intact checkpoint is known to exist.
    fs::rename(damaged, folder_ / "damaged", ignored);
    return file;
  }
  throw input_error("no intact checkpoint is left: {}", why)
      .with_hint("start a new run in another folder, or replace " + (folder_ / "last").string() +
                 " by an intact checkpoint");
}

void CheckpointFolder::write(Trainer& trainer, const Position& position, const std::string& identity,
                             const ModelMetadata& model) const {
  make_folders(folder_);
  const fs::path next = folder_ / "next", last = folder_ / "last";
  write_checkpoint(next, trainer, position, identity, model);
  std::error_code code;
  if (fs::exists(last, code)) link_as(last, folder_ / "previous");
  fs::rename(next, last, code);
  if (code) throw environment_error("{}: cannot write ({})", last.string(), code.message());
}

void CheckpointFolder::keep_best(std::int64_t epoch, std::int64_t best_epoch, const std::vector<std::int64_t>& ranked,
                                 std::int64_t keep) const {
  if (epoch == best_epoch) link_as(folder_ / "last", best());
  if (keep <= 1) return;  // only `best` is kept, without `epoch-N`
  const auto end = ranked.begin() + std::min<std::int64_t>(keep, static_cast<std::int64_t>(ranked.size()));
  if (std::find(ranked.begin(), end, epoch) != end)
    link_as(folder_ / "last", folder_ / fmt::format("{}{}", kEpoch, epoch));
  std::vector<fs::path> removed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (std::find(end, ranked.end(), epoch_of(entry.path())) != ranked.end()) removed.push_back(entry.path());
  }
  std::error_code ignored;
  for (const fs::path& file : removed) fs::remove(file, ignored);
}

}  // namespace effnet::train
