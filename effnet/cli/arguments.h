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

}  // namespace effnet::cli
