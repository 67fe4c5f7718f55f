// Parses and checks command-line values: numbers, lists, sizes, amounts and output files. All functions throw
// Error(usage) with the flag, the value and what was expected.
#pragma once

#include <CLI/CLI.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/shape.h"

namespace effnet::cli {

struct Globals;

int parse_integer(std::string_view flag, std::string_view text, int low, int high);
// "1,8"; each number is from 1 to `high`.
std::vector<int> parse_counts(std::string_view flag, std::string_view text, int high);
std::uint64_t parse_seed(std::string_view text);
// Splits a list such as 1,8 at commas. Keeps empty parts, which the caller must reject.
std::vector<std::string> split_list(std::string_view text);
// "0.485,0.456,0.406": three numbers, each above `low` and at most 1e6.
std::array<double, 3> parse_triple(std::string_view flag, const std::string& text, double low);
// A value of a cost (graph/counted_costs.h), in the unit of the cost: "390M", "1.8G" or "1e9" MACs or parameters;
// "20MB" or "64MiB" of memory; "12" or "12ms" of latency, at most a minute. K, M, G, T (KB, MB, GB, TB) are powers of
// 1000; KiB, MiB, GiB, TiB are powers of 1024.
double parse_cost(std::string_view flag, std::string_view text, std::string_view cost);
// "2,6,18": the epochs of the rounds of successive halving, each more than the one before.
std::vector<double> parse_epochs(std::string_view flag, std::string_view text);
// "224" or "300x200" (height x width); each number is from 1 to 65535.
Size parse_resolution(std::string_view text);

// These functions add an option to `app`. A wrong value throws while the command line is parsed.
void add_number(CLI::App& app, const std::string& flag, int& value, int low, int high, const std::string& help);
void add_numbers(CLI::App& app, const std::string& flag, std::vector<int>& values, int high, const std::string& help);
void add_seed(CLI::App& app, std::uint64_t& seed, const std::string& help);  // --seed: any whole number of 64 bits

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
bool is_arch_file(std::string_view text, std::string_view source);  // whether the text of a file can be read as one
// For an arch file that a command writes: check_extension() with ".toml", and throws if a file would be replaced that
// is no arch file. Spaces and recipes have the same extension, and a person has written them.
void check_arch_output(std::string_view flag, const std::string& file);

}  // namespace effnet::cli
