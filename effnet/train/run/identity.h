// The identity of a run: settings, architecture, classes, and images with their labels. As text it has one "key =
// value" per line. Every checkpoint stores it. A run resumes only from a checkpoint with the same identity; only
// adjustable settings (SettingKind) may differ.
#pragma once

#include <string>
#include <vector>

#include "effnet/train/distributed/consistency.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/model.h"

namespace effnet::train {

struct Identity {
  KeyValues settings;  // the settings that affect results, in TOML syntax
  KeyValues data;      // digests of the classes and of the images
  std::string arch;
};
// The digest of the images covers their names and labels in the order of the dataset, not their pixels. A million
// images take a second.
Identity identity_of(const Recipe& recipe, const RunModel& model, const RunData& data);
std::string to_text(const Identity& identity);

struct Change {
  std::string key, now, before;  // values in TOML syntax
};
// Compares the identity of this run (`now`) with that of the checkpoint (`then`). Returns the adjustable settings
// (SettingKind) that differ: learning rate, warm-up, clipping, length. If anything else differs, throws Error(input)
// that names the difference.
std::vector<Change> changes_on_resume(const std::string& now, const std::string& then);

}  // namespace effnet::train
