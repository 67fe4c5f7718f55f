// The folder that keeps the last checkpoint of a run, the one before and the best.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnet/tensor/tensor.h"
#include "effnet/train/run/checkpoint.h"
#include "effnet/train/run/progress.h"

namespace effnet::train {

// RUN/checkpoints: `last`, `previous`, `best` and `epoch-N` of the `keep` best.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(const std::filesystem::path& run) : folder_(run / "checkpoints") {}

  std::filesystem::path best() const { return folder_ / "best"; }
  bool empty() const;  // nothing to go on from

  // The newest whole one; a damaged `last` before it is renamed to `damaged`. `tell` gets a line for each damaged one
  // before it. Throws Error(input) if all are damaged.
  std::filesystem::path newest_intact(const Log& tell) const;

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
