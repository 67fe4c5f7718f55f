// Options that name an output file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "effnet/cli/command.h"

namespace effnet::cli {

// Adds an option for an output file. A file that must be kept throws while the command line is parsed. `names`:
// "-o,--out"; messages have the first one.
CLI::Option* add_output(CLI::App& app, const std::string& names, std::string& file, const std::string& help);

// Throws Error(usage) if `file` is one that other commands need and that no command replaces: a study or another SQLite
// database with its log, a file of a run that commands read, or the pulled weights of a network.
void check_not_kept(std::string_view flag, const std::string& file);

bool is_run(const std::filesystem::path& folder);  // of train or finetune
// Whether commands read `file`, which is in or below `folder`: a run, or a folder of images. They read no pages,
// drawings and arrays, and in a run no pictures.
bool is_read_there(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace effnet::cli
