// The state of a controller as text: a JSON object. All states have the fields "controller", "generation" and "space",
// which are compared with those of the call. So a state of another search is an error, not a wrong search.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/space/space.h"

namespace effnet::search {

// What a state belongs to.
struct StateOwner {
  std::string_view controller;
  std::int64_t generation = 0;  // whose points were proposed together with the state
  const Space& space;
};

nlohmann::json new_state(const StateOwner& owner);

// Numbers as float32, little-endian, in base64: 5.3 bytes a number, where decimal digits need about 11. Each number
// must already have the precision of float32, so that it reads back exactly.
std::string packed(std::span<const double> numbers);

// Reads the fields of a state. All functions throw Error(input), with the field's name, for a field that is missing or
// has another type, size or range.
class StateReader {
 public:
  StateReader(std::string_view text, const StateOwner& owner);

  std::int64_t count(const char* field) const;                               // a whole number from 0 to 2^53
  std::optional<double> number(const char* field) const;                     // empty for null
  std::vector<double> numbers(const char* field) const;                      // finite
  std::vector<Point> points(const char* field) const;                        // of the owner's space
  std::vector<double> unpacked(const char* field, std::size_t count) const;  // of packed(); finite

 private:
  const nlohmann::json& at(const char* field) const;
  const nlohmann::json& array_at(const char* field) const;

  nlohmann::json json_;
  const Space& space_;
};

// The state that the generation before `generation` returned. Empty for generation 0, whose text must be empty.
std::optional<StateReader> read_state(std::string_view text, std::string_view controller, std::int64_t generation,
                                      const Space& space);

}  // namespace effnet::search
