// Reads JSON texts that another program may have written.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace effnet {

// The levels of objects and arrays that parse_json() accepts. The files of effnet have at most six.
inline constexpr int kDeepestJson = 32;

// The value in `text`, or a discarded one (Json::is_discarded) if the text is no JSON or has more than kDeepestJson
// levels. nlohmann's parser does not recurse, but its copies and dump() do: a text of "[[[[..." with a million levels
// would overflow the stack later.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text) {
  bool too_deep = false;
  Json json = Json::parse(
      text,
      [&](int depth, typename Json::parse_event_t event, Json&) {
        const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        too_deep = too_deep || (opens && depth >= kDeepestJson);
        return !too_deep;  // false: the parser does not keep the value
      },
      /*allow_exceptions=*/false);
  if (too_deep) return Json(Json::value_t::discarded);
  return json;
}

}  // namespace effnet
