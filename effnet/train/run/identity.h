// What tells one run from another, as a text with a line a fact ("key = value"), kept in every checkpoint: settings,
// architecture, and the images with their labels. A run goes on from a checkpoint only if it is its own.
#pragma once

#include <string>
#include <vector>

#include "effnet/train/distributed/consistency.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/model.h"

namespace effnet::train {

struct Identity {
  KeyValues settings;  // those that change numbers, as TOML writes them
  KeyValues data;      // classes and images, by digests
  std::string arch;
};
// Images go by a digest of names and labels in the set's order, not of pixels: a million take a second.
Identity identity_of(const Recipe& recipe, const RunModel& model, const RunData& data);
std::string to_text(const Identity& identity);

struct Change {
  std::string key, now, before;  // values as TOML writes them
};
// `now`: the run that is to go on, `then`: the checkpoint's. Throws Error(input) that names what differs. Settings of
// the steps to come (learning rate, warm-up, clipping, length) may differ, and are returned.
std::vector<Change> changes_on_resume(const std::string& now, const std::string& then);

}  // namespace effnet::train
