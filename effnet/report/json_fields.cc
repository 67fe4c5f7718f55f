#include "effnet/report/json_fields.h"

#include "effnet/base/json.h"
#include "effnet/base/text.h"

namespace effnet::report {

Json parse_json_object(std::string_view text, std::string_view source, std::size_t max_bytes) {
  if (text.size() > max_bytes)
    throw input_error("{}: too large (got {} bytes, expected at most {})", source, text.size(), max_bytes);
  Json json = parse_json<Json>(text);
  if (!json.is_object()) throw input_error("{}: corrupt (expected one JSON object)", source);
  return json;
}

const Json* JsonFields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Error JsonFields::wrong(const char* key, const Json& value, std::string_view expected) const {
  return input_error("{}: {}: wrong value (got {}, expected {})", source_, path_to(key), in_quotes(value.dump()),
                     expected);
}

std::string JsonFields::text_of(const char* key, const Json& value) const {
  if (!value.is_string()) throw wrong(key, value, "a text");
  return value.get<std::string>();
}

std::string JsonFields::text(const char* key) const {
  const Json* value = find(key);
  return value == nullptr ? std::string() : text_of(key, *value);
}

std::optional<double> JsonFields::number(const char* key, double low, double high) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  const double number = value->is_number() ? value->get<double>() : low - 1;
  if (!value->is_number() || !(number >= low && number <= high))
    throw wrong(key, *value, fmt::format("a number from {} to {}", low, high));
  return number;
}

std::optional<std::int64_t> JsonFields::count(const char* key) const {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() > std::uint64_t{kMost})
    throw wrong(key, *value, fmt::format("a whole number from 0 to {}", kMost));
  return value->get<std::int64_t>();
}

std::optional<JsonFields> JsonFields::object(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_object()) throw wrong(key, *value, "an object");
  return JsonFields(*value, source_, path_to(key));
}

const Json* JsonFields::array(const char* key) const {
  const Json* value = find(key);
  if (value != nullptr && !value->is_array()) throw wrong(key, *value, "a list");
  return value;
}

std::vector<JsonFields> JsonFields::objects(const char* key) const {
  std::vector<JsonFields> all;
  const Json* list = array(key);
  if (list == nullptr) return all;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (!(*list)[i].is_object()) throw wrong(key, (*list)[i], "a list of objects");
    all.emplace_back((*list)[i], source_, fmt::format("{}[{}]", path_to(key), i));
  }
  return all;
}

std::vector<std::string> JsonFields::texts(const char* key) const {
  std::vector<std::string> all;
  if (const Json* list = array(key)) {
    for (const Json& one : *list) all.push_back(text_of(key, one));
  }
  return all;
}

std::vector<std::vector<std::string>> JsonFields::text_lists(const char* key) const {
  std::vector<std::vector<std::string>> all;
  const Json* list = array(key);
  if (list == nullptr) return all;
  for (const Json& one : *list) {
    if (!one.is_array()) throw wrong(key, one, "a list of lists of texts");
    all.emplace_back();
    for (const Json& text : one) all.back().push_back(text_of(key, text));
  }
  return all;
}

std::optional<std::pair<double, double>> JsonFields::range(const char* key, double low, double high) const {
  const Json* list = array(key);
  if (list == nullptr) return {};
  const auto inside = [&](const Json& one) {
    return one.is_number() && one.get<double>() >= low && one.get<double>() <= high;
  };
  if (list->size() != 2 || !inside((*list)[0]) || !inside((*list)[1]) ||
      (*list)[0].get<double>() > (*list)[1].get<double>())
    throw wrong(key, *list, fmt::format("two numbers from {} to {}, the smaller one first", low, high));
  return std::pair((*list)[0].get<double>(), (*list)[1].get<double>());
}

}  // namespace effnet::report
