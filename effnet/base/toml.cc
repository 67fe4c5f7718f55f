#include "effnet/base/toml.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <cmath>
#include <set>
#include <sstream>

#include "effnet/base/text.h"

namespace effnet {

struct TomlTable::Impl {
  std::shared_ptr<const toml::table> root;  // owns the document
  const toml::table* table;                 // null if the table is absent: all keys have their defaults
  std::string source;
  std::string path;  // "stages[2]." for messages about a missing key
  std::set<std::string, std::less<>> requested;

  const toml::node* find(std::string_view key) {
    requested.emplace(key);
    return table == nullptr ? nullptr : table->get(key);
  }
  Error at(const toml::source_region& region, std::string_view message) const {
    return input_error("{}:{}:{}: {}", source, region.begin.line, region.begin.column, message);
  }
  Error wrong(std::string_view key, const toml::node& node, std::string_view expected) const {
    std::ostringstream value;
    if (node.is_table() || node.is_array()) {
      value << node.type();
    } else {
      value << toml::node_view<const toml::node>(node);
    }
    return at(node.source(), fmt::format("{}{}: wrong value (got {}, expected {})", path, key, value.str(), expected));
  }
  Error unknown(const toml::key& key, std::string_view expected) const {
    const std::string place = path.empty() ? "top level" : path.substr(0, path.size() - 1);
    return at(key.source(),
              fmt::format("{}: unknown key (got {}, expected {})", place, in_quotes(key.str()), expected));
  }
  Error missing(std::string_view key, std::string_view expected) const {
    // If an unknown key has a similar name, the required key is probably misspelt.
    if (table != nullptr) {
      for (const auto& [present, node] : *table) {
        if (!requested.contains(present.str()) && nearest(present.str(), {std::string(key)}))
          return unknown(present, key);
      }
    }
    if (table == nullptr) return input_error("{}: {}{} is missing (expected {})", source, path, key, expected);
    return at(table->source(), fmt::format("{}{} is missing (expected {})", path, key, expected));
  }
  // The elements of an array; empty if the key is absent. `read` returns an empty optional for a wrong element.
  template <class Value, class Read>
  std::vector<Value> list(std::string_view key, std::string_view expected, Read read) {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    if (!node->is_array()) throw wrong(key, *node, expected);
    std::vector<Value> values;
    values.reserve(node->as_array()->size());
    for (const toml::node& item : *node->as_array()) {
      std::optional<Value> value = read(item);
      if (!value) throw wrong(key, item, expected);
      values.push_back(*std::move(value));
    }
    return values;
  }
};

TomlTable TomlTable::parse(std::string_view text, std::string_view source) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  if (text.size() > kMaxBytes) {
    throw input_error("{}: the TOML file is too long (got {} bytes, expected at most {})", source, text.size(),
                      kMaxBytes);
  }
  try {
    auto root = std::make_shared<const toml::table>(toml::parse(text));
    const toml::table* table = root.get();
    return TomlTable(std::make_shared<Impl>(Impl{std::move(root), table, std::string(source), "", {}}));
  } catch (const toml::parse_error& error) {
    throw input_error("{}:{}:{}: not valid TOML ({})", source, error.source().begin.line, error.source().begin.column,
                      error.description());
  }
}

bool TomlTable::has(std::string_view key) const { return impl_->find(key) != nullptr; }

std::string TomlTable::text(std::string_view key, std::optional<std::string> otherwise) const {
  const toml::node* node = impl_->find(key);
  if (node == nullptr && otherwise) return *otherwise;
  if (node == nullptr) throw impl_->missing(key, "a text");
  if (!node->is_string()) throw impl_->wrong(key, *node, "a text");
  return node->as_string()->get();
}

std::string TomlTable::name(std::string_view key) const {
  std::string value = text(key);
  if (value.empty()) throw error(key, "the name is empty (expected a word)");
  if (one_line(value) != value)
    throw error(key, fmt::format("a control character in a name (got {}, expected printable text)", in_quotes(value)));
  return value;
}

bool TomlTable::boolean(std::string_view key, bool otherwise) const {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_boolean()) throw impl_->wrong(key, *node, "true or false");
  return node->as_boolean()->get();
}

std::int64_t TomlTable::integer(std::string_view key, std::optional<std::int64_t> otherwise, std::int64_t low,
                                std::int64_t high) const {
  const toml::node* node = impl_->find(key);
  const std::string expected = fmt::format("a whole number from {} to {}", low, high);
  if (node == nullptr && otherwise) return *otherwise;
  if (node == nullptr) throw impl_->missing(key, expected);
  if (!node->is_integer()) throw impl_->wrong(key, *node, expected);
  const std::int64_t value = node->as_integer()->get();
  if (value < low || value > high) throw impl_->wrong(key, *node, expected);
  return value;
}

double TomlTable::number(std::string_view key, std::optional<double> otherwise, double low, double high) const {
  const toml::node* node = impl_->find(key);
  const std::string expected = fmt::format("a number from {} to {}", low, high);
  if (node == nullptr && otherwise) return *otherwise;
  if (node == nullptr) throw impl_->missing(key, expected);
  const auto value = node->value<double>();
  if (!value || !node->is_number() || !(*value >= low && *value <= high)) throw impl_->wrong(key, *node, expected);
  return *value;
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
  return impl_->list<std::string>(key, "a list of texts",
                                  [](const toml::node& item) { return item.value_exact<std::string>(); });
}

std::vector<bool> TomlTable::booleans(std::string_view key) const {
  return impl_->list<bool>(key, "a list of true or false",
                           [](const toml::node& item) { return item.value_exact<bool>(); });
}

std::vector<std::int64_t> TomlTable::integers(std::string_view key, std::int64_t low, std::int64_t high) const {
  const std::string expected = fmt::format("a list of whole numbers from {} to {}", low, high);
  return impl_->list<std::int64_t>(key, expected, [&](const toml::node& item) {
    const std::optional<std::int64_t> value = item.value_exact<std::int64_t>();
    return value && *value >= low && *value <= high ? value : std::nullopt;
  });
}

std::vector<double> TomlTable::numbers(std::string_view key, double low, double high) const {
  const std::string expected = fmt::format("a list of numbers from {} to {}", low, high);
  return impl_->list<double>(key, expected, [&](const toml::node& item) {
    const std::optional<double> value = item.is_number() ? item.value<double>() : std::nullopt;
    return value && *value >= low && *value <= high ? value : std::nullopt;
  });
}

bool TomlTable::is_table(std::string_view key) const {
  const toml::node* node = impl_->find(key);
  return node != nullptr && node->is_table();
}

TomlTable TomlTable::table(std::string_view key) const {
  const toml::node* node = impl_->find(key);
  if (node != nullptr && !node->is_table()) throw impl_->wrong(key, *node, fmt::format("a table [{}]", key));
  return TomlTable(std::make_shared<Impl>(Impl{impl_->root,
                                               node == nullptr ? nullptr : node->as_table(),
                                               impl_->source,
                                               fmt::format("{}{}.", impl_->path, key),
                                               {}}));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return {};
  const std::string expected = fmt::format("tables [[{}]]", key);
  if (!node->is_array()) throw impl_->wrong(key, *node, expected);
  std::vector<TomlTable> result;
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_table()) throw impl_->wrong(key, item, expected);
    result.push_back(TomlTable(std::make_shared<Impl>(Impl{
        impl_->root, item.as_table(), impl_->source, fmt::format("{}{}[{}].", impl_->path, key, result.size()), {}})));
  }
  return result;
}

Error TomlTable::error(std::string_view key, std::string_view message) const {
  const toml::node* node = impl_->find(key);
  EFFNET_CHECK(node != nullptr);
  return impl_->at(node->source(), fmt::format("{}{}: {}", impl_->path, key, message));
}

Error TomlTable::error(std::string_view key, const Error& cause) const {
  return error(key, cause.what()).with_hint(cause.hint());
}

Error TomlTable::missing(std::string_view key, std::string_view expected) const {
  return impl_->missing(key, expected);
}

void TomlTable::finish() const {
  if (impl_->table == nullptr) return;
  for (const auto& [key, node] : *impl_->table) {
    if (impl_->requested.contains(key.str())) continue;
    const std::vector<std::string> known(impl_->requested.begin(), impl_->requested.end());
    const auto near = nearest(key.str(), known);
    const Error error = impl_->unknown(key, near ? *near : one_of(known));
    throw near ? error.with_hint(fmt::format("did you mean {}? Known keys: {}", *near, fmt::join(known, ", "))) : error;
  }
}

std::string toml_value(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string toml_value(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace effnet
