// Reads the fields of a JSON object and checks their types and ranges. Errors contain the file and the path of the
// field. For use inside effnet/report only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::report {

using Json = nlohmann::ordered_json;

// Parses a text that must be one JSON object. Throws Error(input): "SOURCE: corrupt (...)", "SOURCE: too large (...)".
Json parse_json_object(std::string_view text, std::string_view source, std::size_t max_bytes);

// A field that is absent or null gives an empty result. All functions throw Error(input) for a value of another type
// or outside its range: "SOURCE: PATH: wrong value (got ..., expected ...)".
class JsonFields {
 public:
  // `object` must be an object. It and `source` must outlive the reader.
  JsonFields(const Json& object, std::string_view source, std::string path = {})
      : object_(object), source_(source), path_(std::move(path)) {}

  std::string text(const char* key) const;
  std::optional<double> number(const char* key, double low, double high) const;  // low <= value <= high
  std::optional<std::int64_t> count(const char* key) const;                      // a whole number from 0 to 2^53
  std::optional<JsonFields> object(const char* key) const;
  std::vector<JsonFields> objects(const char* key) const;
  std::vector<std::string> texts(const char* key) const;
  std::vector<std::vector<std::string>> text_lists(const char* key) const;
  std::optional<std::pair<double, double>> range(const char* key, double low, double high) const;  // [first, second]

  Error wrong(const char* key, const Json& value, std::string_view expected) const;

 private:
  const Json* find(const char* key) const;  // null if absent or null
  const Json* array(const char* key) const;
  std::string text_of(const char* key, const Json& value) const;
  std::string path_to(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }

  const Json& object_;
  std::string_view source_;
  std::string path_;
};

}  // namespace effnet::report
