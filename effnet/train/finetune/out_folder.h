// The folder of a fine-tuning run: whether a command may write to it, and what must be the same when it is resumed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "effnet/train/finetune/finetune.h"

namespace effnet::train {

// Throws Error(usage) for a setting that fine-tuning sets itself.
void check_settings(const std::vector<Override>& settings);

// Throws Error(usage) if both --time-budget and --set train.epochs are given: they decide the same.
void check_length(const FinetuneOptions& options);

// Throws Error(usage) for a path or another text that the files of the run keep and that is not UTF-8.
void check_texts(const FinetuneOptions& options);

// What must be the same when a command is resumed: "DIR /data/flowers", "--model efficientnet_lite0", ...
std::vector<std::string> option_texts(const FinetuneOptions& options);
// Throws Error(usage) that names what differs.
void require_same_options(const std::vector<std::string>& before, const std::vector<std::string>& now);

// Throws Error(usage) if the run cannot be written to options.out. `fresh`: the folder has no finetune.json.
void check_out(const FinetuneOptions& options, bool fresh);

// Removes what a command has written that failed before its first result.
void remove_traces(const std::filesystem::path& out);

}  // namespace effnet::train
