// Reads and writes the JSON texts of a study: settings, states and details.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/base/json.h"
#include "effnet/base/text.h"

namespace effnet::search {

using Json = nlohmann::json;

// The settings of a study as text. Throws Error(usage) for a text in them that is not UTF-8.
inline std::string settings_json(const Json& json) {
  const Json flat = json.flatten();
  for (const auto& [path, value] : flat.items()) {
    if (value.is_string())
      check_utf8(path.substr(path.rfind('/') + 1), value.get_ref<const std::string&>(), "the study");
  }
  return json.dump(1);
}

// The object in `text`. Throws Error(input) if it is something else; `what` begins the message.
inline Json parse_object(std::string_view text, std::string_view what) {
  Json json = parse_json(text);
  if (!json.is_object()) throw input_error("{}: not a JSON object (got {})", what, in_quotes(text.substr(0, 40)));
  return json;
}

// A field of an object. Throws Error(input) if it is missing or has another type; `what` begins the message.
template <class Value>
Value field(const Json& json, const char* name, std::string_view what = "settings") {
  try {
    return json.at(name).get<Value>();
  } catch (const Json::exception&) {
    throw input_error("{}: wrong field (got {} for {})", what,
                      json.contains(name) ? in_quotes(json[name].dump().substr(0, 40)) : "nothing", name);
  }
}

// The same for a field that texts of earlier versions do not have: empty if it is missing.
template <class Value>
std::optional<Value> optional_field(const Json& json, const char* name) {
  if (!json.contains(name)) return std::nullopt;
  return field<Value>(json, name);
}

}  // namespace effnet::search
