// A checkpoint's file apart from any trainer, so that it can be verified before one is touched, and the folder that
// keeps the last, the one before and the best of a run.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "effnet/formats/tensor.h"
#include "effnet/train/run/checkpoint.h"

namespace effnet::train {

struct CheckpointFile {
  Position position;
  std::string identity;
  std::map<std::string, double> scalars;
  formats::Weights weights;  // views of the mapped file
};

// Throws Error(input) for a file that is missing, cut short, changed (checksum) or of a newer format.
CheckpointFile open_checkpoint(const std::filesystem::path& file);
// Throws Error(input) that names what differs, and only fills the trainer if everything fits.
void restore(const CheckpointFile& checkpoint, const std::filesystem::path& file, Trainer& trainer,
             const std::string& identity);

// RUN/checkpoints: `last`, `previous`, `best` and `epoch-N` of the `keep` best.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path best() const { return folder_ / "best"; }
  bool empty() const;  // nothing to go on from

  // The newest whole one; a damaged `last` before it is renamed to `damaged`. `tell` gets a line for each damaged one
  // before it. Throws Error(input) if all are damaged.
  std::filesystem::path newest_whole(const std::function<void(std::string)>& tell) const;

  // Last becomes previous once the new one is whole. Throws Error(environment); last is then what it was.
  void write(Trainer& trainer, const Position& position, const std::string& identity,
             const ModelMetadata& model = {}) const;
  // `last`, which closed `epoch`, under the name best (if it is) and epoch-N (if it is among the `keep` of `ranked`,
  // epochs from the best on); epochs that no longer are go. Doing it again changes nothing.
  void keep_best(std::int64_t epoch, std::int64_t best_epoch, const std::vector<std::int64_t>& ranked,
                 std::int64_t keep) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace effnet::train
