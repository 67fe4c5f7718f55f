// The checkpoint folder of a run: the last checkpoint, the previous one and the best ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnet/tensor/tensor.h"
#include "effnet/train/run/checkpoint.h"
#include "effnet/train/run/progress.h"

namespace effnet::train {

// RUN/checkpoints with `last`, `previous`, `best`, and `epoch-N` for the best epochs if checkpoint.keep is above 1.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(const std::filesystem::path& run) : folder_(run / "checkpoints") {}

  std::filesystem::path best() const { return folder_ / "best"; }
  bool empty() const;  // true if there is neither `last` nor `previous`

  // Returns the newest checkpoint that is not damaged: `last` or `previous`. A damaged `last` is renamed to `damaged`
  // and logged. Throws Error(input) if both are damaged.
  std::filesystem::path newest_intact(const Log& log) const;

  // Writes a new `last`. When it is complete, the old `last` becomes `previous`. If that fails, throws
  // Error(environment), and the old `last` stays.
  void write(Trainer& trainer, const Position& position, const std::string& identity,
             const ModelMetadata& model = {}) const;
  // Gives `last`, the checkpoint at the end of `epoch`, additional names: `best` if `epoch` is `best_epoch`, and, if
  // `keep` is above 1, `epoch-N` if `epoch` is among the first `keep` of `ranked` (epochs from best to worst). Removes
  // the `epoch-N` of the others in `ranked`. One that is not in `ranked` stays: its accuracy is unknown, because the
  // lines of metrics.csv were lost. A second call with the same arguments changes nothing.
  void keep_best(std::int64_t epoch, std::int64_t best_epoch, const std::vector<std::int64_t>& ranked,
                 std::int64_t keep) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace effnet::train
