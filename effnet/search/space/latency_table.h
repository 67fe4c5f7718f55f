// Predicts the latency of a space's networks on this machine: the sum of the times of a network's parts. The times are
// fitted to measurements of whole networks, because a part alone has other caches and other neighbours.
//
// A part is the stem, the head, or one block of a stage: its stage, its kind and numbers, whether it is the first block
// of its stage, and its input channels. Each part has one time in milliseconds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/space/space.h"

namespace effnet::search {

struct LatencyTable {
  std::string machine;        // the CPU, instruction set and number of threads of the measurements
  std::int64_t networks = 0;  // measured for the fit
  double error = 0;           // mean of |predicted / measured - 1| over networks that the fit did not use
  double worst_error = 0;     // the largest one
  std::int64_t checked = 0;   // number of these networks
  std::map<std::string, double> parts_ms;
};

std::string part_of_stem(const arch::ArchSpec& spec);
std::string part_of_head(const arch::ArchSpec& spec);
std::vector<std::string> parts_of(const arch::ArchSpec& spec);  // stem, blocks in their order, head

// The predicted latency in milliseconds. Throws Error(input) if the table lacks a part of the network: it belongs to
// another space or resolution.
double predict_ms(const LatencyTable& table, const arch::ArchSpec& spec);

struct TimedNetwork {
  arch::ArchSpec spec;
  double ms = 0;
};
// Least squares with times of at least 0 (Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23), of the
// relative errors. `fit` must contain every part that the table is to have. `check`: for the error. Fills everything
// but `machine`.
LatencyTable fit_latency(const std::vector<TimedNetwork>& fit, const std::vector<TimedNetwork>& check);

// JSON, and back. Throws Error(input) with `source` and the field.
std::string to_text(const LatencyTable& table);
LatencyTable parse_latency_table(std::string_view text, std::string_view source);

// Networks of the space that together contain every part that any network of it can have, and `more` random ones.
std::vector<Point> covering_points(const Space& space, std::int64_t more, std::uint64_t seed);

}  // namespace effnet::search
