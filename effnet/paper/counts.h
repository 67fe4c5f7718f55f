// Counts of the paper's networks, and their comparison with printed values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/graph/costs.h"
#include "effnet/paper/item.h"
#include "effnet/paper/printed.h"

namespace effnet::paper {

// The network with its scaling. Network::base must not be null.
arch::ArchSpec spec_of(const Network& network);
graph::Costs costs_of(const arch::ArchSpec& spec, std::optional<std::int64_t> classes = {});

// A printed number and the unit of its last digit: "0.39B" is {0.39e9, 0.01e9}, "84.3" is {84.3, 0.1}, "4.9x" is
// {4.9, 0.1}. Commas between digits are ignored. Throws Error(internal) for any other text.
struct PrintedNumber {
  double value = 0, unit = 0;
};
PrintedNumber parse_printed(std::string_view text);

// The computed number in the paper's style: "14.571B" or "7.99M".
std::string in_billions(std::int64_t number);

// MACs have one unit in all drawings, because several of them may be on one page.
inline constexpr const char* kMacsAxis = "MACs in millions";
inline double millions(std::int64_t number) { return static_cast<double>(number) * 1e-6; }

// Empty if the computed value differs from the printed one by at most one unit of the printed one's last digit (the
// paper rounds some values and truncates others). Else a remark such as "MACs: 14.571B computed, 10.1 % below the
// printed 16.2B."
std::string disagreement(std::string_view what, Text printed, std::int64_t computed);
// Sentences, separated by blanks; empty ones are left out.
std::string joined(std::initializer_list<std::string> sentences);

Value value_of(Text printed);             // no value for null
Value note_of(const std::string& words);  // no value for an empty text

}  // namespace effnet::paper
