#include <cmath>
#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/json.h"
#include "effnet/base/text.h"
#include "effnet/search/space/latency_table.h"

namespace effnet::search {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kVersion = 1;

Error wrong(std::string_view source, std::string_view field, const Json& value, std::string_view expected) {
  return input_error(
      "{}: {}: wrong value (got {}, expected {})", source, field,
      value.is_null() ? "nothing" : in_quotes(value.dump(-1, ' ', false, Json::error_handler_t::replace)), expected);
}

// A number of at least 0.
double number(std::string_view source, std::string_view field, const Json& value) {
  const double result = value.is_number() ? value.get<double>() : -1;
  if (!(result >= 0 && std::isfinite(result))) throw wrong(source, field, value, "a number of at least 0");
  return result;
}

std::int64_t count(std::string_view source, std::string_view field, const Json& value) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMost)
    throw wrong(source, field, value, fmt::format("a whole number from 0 to {}", kMost));
  return value.get<std::int64_t>();
}

}  // namespace

std::string to_text(const LatencyTable& table) {
  const Json json{{"version", kVersion},       {"machine", table.machine},         {"networks", table.networks},
                  {"error", table.error},      {"worst_error", table.worst_error}, {"checked", table.checked},
                  {"parts_ms", table.parts_ms}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

LatencyTable parse_latency_table(std::string_view text, std::string_view source) {
  const Json json = parse_json(text);
  if (!json.is_object()) throw input_error("{}: corrupt (expected a JSON object: a latency table)", source);
  const auto field = [&](const char* name) { return json.contains(name) ? json[name] : Json(); };
  if (count(source, "version", field("version")) != kVersion)
    throw wrong(source, "version", field("version"), fmt::format("{}", kVersion));
  const Json parts = field("parts_ms");
  if (!field("machine").is_string()) throw wrong(source, "machine", field("machine"), "a text");
  if (!parts.is_object() || parts.empty())
    throw wrong(source, "parts_ms", parts, "an object with a time for each part");
  LatencyTable table{.machine = field("machine").get<std::string>(),
                     .networks = count(source, "networks", field("networks")),
                     .error = number(source, "error", field("error")),
                     .worst_error = number(source, "worst_error", field("worst_error")),
                     .checked = count(source, "checked", field("checked")),
                     .parts_ms = {}};
  for (const auto& [part, ms] : parts.items())
    table.parts_ms.emplace(part, number(source, fmt::format("parts_ms: {}", in_quotes(part)), ms));
  return table;
}

}  // namespace effnet::search
