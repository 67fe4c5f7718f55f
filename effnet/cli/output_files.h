// Output files: the options that name them, and what they may replace.
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

// Returns true if the output file of option `flag` is "-", which means stdout. For text files only. Stdout can contain
// only one document, so "-" together with --json throws.
bool is_stdout(std::string_view flag, std::string_view file, const Globals& globals);
// For output files that are not text: throws if `file` is "-".
void check_no_stdout(std::string_view flag, std::string_view file);
// Throws if the output file of option `flag` would replace a file that the command reads from `input`: the file itself,
// or a file in this folder. A folder is a run, or has images; pages, drawings and arrays (report.html) may be replaced
// there, because no command reads them, and in a run also pictures. `input` need not exist.
void check_not_input(std::string_view flag, const std::string& file, const std::string& input);
// Throws if the output files of two options are the same file. The options may be missing.
void check_two_files(std::string_view flag, const std::string& file, std::string_view other_flag,
                     const std::string& other_file);
// Throws if the output file of option `flag` has another extension than `extension` (".toml"). Not for "-", and not for
// devices and pipes. `why`: the hint.
void check_extension(std::string_view flag, const std::string& file, std::string_view extension,
                     const std::string& why = {});
// For weights that a command writes: throws if the name ends in .toml, because an arch file, a space or a recipe that a
// person has written would be replaced.
void check_weights_output(std::string_view flag, const std::string& file);
bool is_arch_file(std::string_view text, std::string_view source);  // whether the text of a file can be read as one
// For an arch file that a command writes: check_extension() with ".toml", and throws if a file would be replaced that
// is no arch file. Spaces and recipes have the same extension, and a person has written them.
void check_arch_output(std::string_view flag, const std::string& file);

}  // namespace effnet::cli
