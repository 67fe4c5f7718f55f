#include "effnet/search/control/state.h"

#include <bit>
#include <cmath>

#include "effnet/base/base64.h"
#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/base/text.h"
#include "effnet/search/control/draw_points.h"

namespace effnet::search {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kFloatBytes = 4;

// A hash of the choices with their options. The base network is left out: it does not change a controller.
std::string space_key(const Space& space) {
  std::string text;
  for (const Choice& choice : space.choices) {
    text += fmt::format("{} {}", choice.stage, choice.field);
    for (const std::string& option : choice.options) text += " " + option;
    text += '\n';
  }
  return fmt::format("{:016x}", stream_of(text));
}

Error wrong(std::string_view field, std::string_view got, std::string_view expected) {
  return input_error("controller state: {}: wrong value (got {}, expected {})", field, got, expected);
}

void expect_same(const Json& json, const Json& expected, const char* field) {
  const Json got = json.value(field, Json());
  if (got != expected.at(field)) throw wrong(field, in_quotes(got.dump()), expected.at(field).dump());
}

}  // namespace

nlohmann::json new_state(const StateOwner& owner) {
  return {{"controller", std::string(owner.controller)},
          {"generation", owner.generation},
          {"space", space_key(owner.space)}};
}

std::string packed(std::span<const double> numbers) {
  std::vector<std::byte> bytes;
  bytes.reserve(numbers.size() * kFloatBytes);
  for (const double number : numbers) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(number));
    for (std::size_t i = 0; i < kFloatBytes; ++i) bytes.push_back(static_cast<std::byte>(bits >> (8 * i) & 255));
  }
  return to_base64(bytes);
}

StateReader::StateReader(std::string_view text, const StateOwner& owner)
    : json_(Json::parse(text, nullptr, false)), space_(owner.space) {
  if (!json_.is_object())
    throw input_error("controller state: not a JSON object (got {}, expected the text of generation {})",
                      in_quotes(text), owner.generation);
  const Json expected = new_state(owner);
  for (const char* field : {"controller", "generation", "space"}) expect_same(json_, expected, field);
}

const nlohmann::json& StateReader::at(const char* field) const {
  const auto found = json_.find(field);
  if (found == json_.end()) throw wrong(field, "nothing", "a value");
  return *found;
}

const nlohmann::json& StateReader::array_at(const char* field) const {
  const Json& array = at(field);
  if (!array.is_array()) throw wrong(field, in_quotes(array.dump()), "an array");
  return array;
}

std::int64_t StateReader::count(const char* field) const {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
  const Json& value = at(field);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMost)
    throw wrong(field, in_quotes(value.dump()), "a whole number from 0 to 2^53");
  return value.get<std::int64_t>();
}

std::optional<double> StateReader::number(const char* field) const {
  const Json& value = at(field);
  if (value.is_null()) return {};
  if (!value.is_number()) throw wrong(field, in_quotes(value.dump()), "a number or null");
  return value.get<double>();
}

std::vector<double> StateReader::numbers(const char* field) const {
  std::vector<double> numbers;
  const Json& array = array_at(field);
  numbers.reserve(array.size());
  for (const Json& value : array) {
    if (!value.is_number()) throw wrong(field, in_quotes(value.dump()), "numbers");
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

std::vector<Point> StateReader::points(const char* field) const {
  std::vector<Point> points;
  const Json& array = array_at(field);
  points.reserve(array.size());
  for (const Json& options : array) {
    Point point;
    bool whole = options.is_array();
    if (whole) point.reserve(options.size());
    for (const Json& option : options) {
      whole = whole && option.is_number_unsigned() && option.get<std::uint64_t>() < 1'000'000;
      if (whole) point.push_back(option.get<int>());
    }
    if (!whole || !is_point(space_, point)) throw wrong(field, in_quotes(options.dump()), "points of the space");
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<double> StateReader::unpacked(const char* field, std::size_t count) const {
  const Json& value = at(field);
  const auto bytes = value.is_string() ? from_base64(value.get_ref<const std::string&>()) : std::nullopt;
  if (!bytes || bytes->size() != count * kFloatBytes)
    throw wrong(field, in_quotes(value.dump()), fmt::format("{} numbers as float32 in base64", count));
  std::vector<double> numbers;
  numbers.reserve(count);
  for (std::size_t first = 0; first < bytes->size(); first += kFloatBytes) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < kFloatBytes; ++i)
      bits |= std::to_integer<std::uint32_t>((*bytes)[first + i]) << (8 * i);
    numbers.push_back(static_cast<double>(std::bit_cast<float>(bits)));
    if (!std::isfinite(numbers.back())) throw wrong(field, "a number that is not finite", "finite numbers");
  }
  return numbers;
}

std::optional<StateReader> read_state(std::string_view text, std::string_view controller, std::int64_t generation,
                                      const Space& space) {
  if (generation > 0) return StateReader(text, {controller, generation - 1, space});
  if (!text.empty())
    throw input_error("controller state: not empty (got {}, expected no state for generation 0)", in_quotes(text));
  return {};
}

}  // namespace effnet::search
