// Predicts the latency of a space's networks on this machine: the sum of the times of a network's parts
// (network_parts.h), in milliseconds. The times are fitted to measurements of whole networks, because a part alone has
// other caches and other neighbours.
//
// To measure a table: covering_points() chooses networks, model/measure_latencies.h times them, fit_latency() makes the
// table.
#pragma once

#include <cstdint>
#include <map>
#include <span>
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
  friend bool operator==(const LatencyTable&, const LatencyTable&) = default;
};

// The predicted latency in milliseconds. Throws Error(input) if the table lacks a part of the network: it belongs to
// another space or resolution.
double predict_ms(const LatencyTable& table, const arch::ArchSpec& spec);

struct TimedNetwork {
  arch::ArchSpec spec;
  double ms = 0;
};
// Fits the times of all parts of the networks `fit`, and measures the error with the networks `check`. Fills everything
// but `machine`. Throws Error(input) if `fit` is empty, a time is not a number above 0, or a network of `check` has a
// part that no network of `fit` has.
//
// The fit minimises the relative errors; times are at least 0 (least_squares.h). A space has more parts than anybody
// measures networks: a few hundred networks have all parts of MnasNet's space, which are some thousand. So the fit has
// two steps. First, the time of a part is a linear function of its work (part_work.h), fitted to all measurements. Then
// each part gets a factor on this time, which the fit keeps near 1 unless several measurements say otherwise.
LatencyTable fit_latency(std::span<const TimedNetwork> fit, std::span<const TimedNetwork> check);

// JSON, and back. Throws Error(input) with `source` and the field.
std::string to_text(const LatencyTable& table);
LatencyTable parse_latency_table(std::string_view text, std::string_view source);

// How many of `networks` measured networks are kept for the error: a tenth, but at least 10.
std::int64_t networks_to_check(std::int64_t networks);

// Networks for a latency table. First networks of the space that together have every part that any network of it can
// have, in a number that a greedy choice finds: hardly more than the most different first blocks of a stage. Then
// `more` random ones, or as many as networks_to_check() needs. The last networks_to_check(n) of the n points are
// therefore random: use them for the error, and the others for the fit. No network is there twice unless the space has
// too few. Throws Error(input) if the choices of one stage have more than kMostStageOptions combinations.
std::vector<Point> covering_points(const Space& space, std::int64_t more, std::uint64_t seed);
inline constexpr std::size_t kMostStageOptions = 20'000;

}  // namespace effnet::search
