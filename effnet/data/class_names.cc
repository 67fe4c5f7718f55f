#include "effnet/data/class_names.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// Returns the text as a number if it is a class index below `classes`.
std::optional<std::int64_t> class_index(std::string_view text, std::int64_t classes) {
  const auto number = integer(text);
  return number && *number >= 0 && *number < classes ? number : std::nullopt;
}

class Lookup {
 public:
  Lookup(const ClassNames& names, const ExtraNames& extra) : extra_(extra) {
    for (std::size_t i = 0; i < names.ids.size(); ++i) ids_.emplace(names.ids[i], static_cast<std::int64_t>(i));
    for (std::size_t i = 0; i < names.labels.size(); ++i) {
      labels_[names.labels[i]].insert(static_cast<std::int64_t>(i));
      similar_[normalised_label(names.labels[i])].insert(static_cast<std::int64_t>(i));
    }
    for (std::size_t i = 0; i < names.ids.size(); ++i)
      similar_[normalised_label(names.ids[i])].insert(static_cast<std::int64_t>(i));
  }

  bool has_names() const { return !extra_.empty() || !ids_.empty() || !labels_.empty(); }

  // Returns an empty optional if two classes have this label (ImageNet has two classes "crane"), because a guess could
  // be wrong.
  std::optional<std::int64_t> exact(const std::string& name) const {
    if (const auto found = extra_.find(name); found != extra_.end()) return found->second;
    if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    if (const auto found = labels_.find(name); found != labels_.end() && found->second.size() == 1)
      return *found->second.begin();
    return {};
  }

  // Returns all classes that a name may mean.
  std::set<std::int64_t> similar(const std::string& name) const {
    // "n01443537_goldfish": many copies of ImageNet name their folders by id and label.
    if (const auto found = ids_.find(name.substr(0, name.find('_'))); found != ids_.end()) return {found->second};
    const auto found = similar_.find(normalised_label(name));
    return found != similar_.end() ? found->second : std::set<std::int64_t>{};
  }

 private:
  const ExtraNames& extra_;
  std::map<std::string, std::int64_t> ids_;
  std::map<std::string, std::set<std::int64_t>> labels_, similar_;  // key: the label; the normalised label or id
};

std::string name_of(const fs::path& folder) { return folder.filename().string(); }

std::vector<std::string> names_of(const std::vector<fs::path>& folders) {
  std::vector<std::string> names(folders.size());
  std::transform(folders.begin(), folders.end(), names.begin(), name_of);
  return names;
}

Error unknown_folder(const fs::path& folder, const ClassNames& names) {
  std::vector<std::string> known = names.labels;
  known.insert(known.end(), names.ids.begin(), names.ids.end());
  const auto close = nearest(name_of(folder), known);
  const std::string suggestion = close ? fmt::format("did you mean {}? ", in_quotes(*close)) : "";
  return input_error("{}: this folder's name is not a class of {} (got {}, expected one of its {} class names)",
                     folder.string(), names.owner, in_quotes(name_of(folder)), names.classes)
      .with_hint(suggestion + names.hint);
}

Error ambiguous_folder(const fs::path& folder, const ClassNames& names, const std::string& why) {
  return input_error("{}: this folder's name is ambiguous among the classes of {} ({})", folder.string(), names.owner,
                     why)
      .with_hint(std::string("give the folder exactly the name of its class") +
                 (names.hint.empty() ? "" : "; or " + names.hint));
}

using Matches = std::vector<std::optional<std::int64_t>>;  // the class of each folder, if known

bool all_known(const Matches& found) {
  return std::all_of(found.begin(), found.end(), [](const auto& one) { return one.has_value(); });
}

// Matches the folders without an exact match by similar names (rule 3).
void add_similar(const std::vector<fs::path>& folders, const ClassNames& names, const Lookup& lookup, Matches& found) {
  std::map<std::int64_t, std::size_t> taken;  // class -> folder
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (found[i]) taken.emplace(*found[i], i);
  }
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (found[i]) continue;
    const std::set<std::int64_t> similar = lookup.similar(name_of(folders[i]));
    if (similar.empty()) throw unknown_folder(folders[i], names);
    const std::int64_t index = *similar.begin();
    if (similar.size() > 1) {
      throw ambiguous_folder(folders[i], names,
                             fmt::format("got {}, which matches class {} and class {}, expected one class",
                                         in_quotes(name_of(folders[i])), index, *std::next(similar.begin())));
    }
    const auto [other, added] = taken.emplace(index, i);
    if (!added) {
      throw ambiguous_folder(
          folders[i], names,
          fmt::format("got {} and {}, expected one folder for class {}, {}", in_quotes(name_of(folders[i])),
                      in_quotes(name_of(folders[other->second])), index, in_quotes(names.name(index))));
    }
    found[i] = index;
  }
}

// Interprets all names as class indices. Returns an empty optional if one is not an index, or if two are equal.
std::optional<ClassAssignment> as_indices(const std::vector<fs::path>& folders, std::int64_t classes) {
  ClassAssignment assignment;
  for (const fs::path& folder : folders) {
    const auto index = class_index(name_of(folder), classes);
    if (!index) return {};
    assignment.classes.push_back(*index);
  }
  if (std::set<std::int64_t>(assignment.classes.begin(), assignment.classes.end()).size() != folders.size()) return {};
  assignment.note = fmt::format("the folders' names are read as class indices: {} is class {}",
                                name_of(folders.front()), assignment.classes.front());
  return assignment;
}

ClassAssignment by_order(const std::vector<fs::path>& folders, const ClassNames& names) {
  if (static_cast<std::int64_t>(folders.size()) != names.classes) {
    throw input_error("{}: {} has no names for its classes (got {} folders, expected {}, one per class)",
                      folders.front().parent_path().string(), names.owner, folders.size(), names.classes)
        .with_hint(std::string("name each folder by its class index, from 0") +
                   (names.hint.empty() ? "" : "; or " + names.hint));
  }
  ClassAssignment assignment;
  for (std::size_t i = 0; i < folders.size(); ++i) assignment.classes.push_back(static_cast<std::int64_t>(i));
  assignment.note = fmt::format(
      "{} has no names for its classes: the folders are numbered in sorted order, {} is class 0, {} is class {}",
      names.owner, in_quotes(name_of(folders.front())), in_quotes(name_of(folders.back())), folders.size() - 1);
  return assignment;
}

}  // namespace

std::string normalised_label(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c == '_' || c == '-' ? ' ' : static_cast<char>(std::tolower(c)); });
  return text;
}

std::string ClassNames::name(std::int64_t index) const {
  const auto at = static_cast<std::size_t>(index);
  return at < ids.size() ? ids[at] : at < labels.size() ? labels[at] : std::to_string(index);
}

ExtraNames read_class_file(const fs::path& file, std::int64_t classes) {
  ExtraNames names;
  const std::string text = read_text(file);
  std::int64_t number = 0;
  for (std::string_view line : text_lines(text, file.string())) {
    ++number;
    std::int64_t index = number - 1;
    if (line.empty()) continue;
    if (const std::size_t tab = line.find('\t'); tab != std::string_view::npos) {
      const std::string_view field = trimmed(line.substr(0, tab));
      const auto parsed = integer(field);
      if (!parsed)
        throw input_error("{}:{}: not a class index (got {}, expected an integer)", file.string(), number,
                          in_quotes(field));
      index = *parsed;
      line.remove_prefix(tab + 1);
    }
    if (index < 0 || index >= classes) {
      throw input_error("{}:{}: class out of range (got {}, expected 0 to {})", file.string(), number, index,
                        classes - 1);
    }
    while (!line.empty()) {
      const std::size_t end = std::min(line.find('\t'), line.size());
      const std::string name(trimmed(line.substr(0, end)));
      line.remove_prefix(std::min(end + 1, line.size()));
      if (name.empty()) continue;
      const auto [where, added] = names.emplace(name, index);
      if (!added && where->second != index) {
        throw input_error("{}:{}: {} is the name of two classes (got {} and {}, expected one class index)",
                          file.string(), number, in_quotes(name), where->second, index);
      }
    }
  }
  return names;
}

ClassAssignment match_folders(const std::vector<fs::path>& folders, const ClassNames& names, const ExtraNames& extra) {
  const Lookup lookup(names, extra);
  const std::vector<std::string> folder_names = names_of(folders);
  if (!extra.empty() &&
      std::none_of(folder_names.begin(), folder_names.end(), [&](const auto& name) { return extra.contains(name); })) {
    throw input_error(
        "the class file contains no folder's name (got names such as {}, expected folder names such as {})",
        in_quotes(extra.begin()->first), in_quotes(folder_names.front()))
        .with_hint("write lines 'index<TAB>name' into the class file, or one name per line");
  }
  Matches found;
  for (const std::string& name : folder_names) found.push_back(lookup.exact(name));
  if (!all_known(found)) {
    if (auto indices = names.by_index ? as_indices(folders, names.classes) : std::nullopt) return *std::move(indices);
    if (!lookup.has_names()) return by_order(folders, names);
    add_similar(folders, names, lookup, found);
  }
  ClassAssignment assignment;
  for (const auto& one : found) assignment.classes.push_back(*one);
  return assignment;
}

ClassAssignment match_labels(const LabelList& list, const ClassNames& names, const ExtraNames& extra) {
  const std::vector<std::string>& labels = list.labels;
  const Lookup lookup(names, extra);
  ClassAssignment by_name, by_index;
  // Positions of the first label that is not a class name, and of the first label that is not a class index.
  std::size_t unnamed = labels.size(), no_index = labels.size();
  bool exact = true;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::optional<std::int64_t> index = lookup.exact(labels[i]);
    if (!index) {
      exact = false;
      const std::set<std::int64_t> similar = lookup.similar(labels[i]);
      if (similar.size() == 1) index = *similar.begin();
    }
    if (!index) unnamed = std::min(unnamed, i);
    by_name.classes.push_back(index.value_or(-1));
    const auto number = class_index(labels[i], names.classes);
    if (!number) no_index = std::min(no_index, i);
    by_index.classes.push_back(number.value_or(-1));
  }
  if (!exact) by_name.note = fmt::format("{}: the labels are read as class names", list.source);
  by_index.note = fmt::format("{}: the labels are read as class indices", list.source);
  const bool names_fit = unnamed == labels.size() && list.kind != LabelKind::indices;
  const bool indices_fit = no_index == labels.size() && list.kind != LabelKind::names;
  if (names_fit && indices_fit && by_name.classes != by_index.classes) {
    const auto at = static_cast<std::size_t>(
        std::mismatch(by_name.classes.begin(), by_name.classes.end(), by_index.classes.begin()).first -
        by_name.classes.begin());
    throw input_error(
        "{}: ambiguous labels: they could be class names or class indices (got {}, which is class {} as a name and "
        "class {} as an index)",
        list.where(at), in_quotes(labels[at]), by_name.classes[at], by_index.classes[at])
        .with_hint(list.hint);
  }
  if (names_fit) return by_name;
  if (indices_fit) return by_index;
  const std::string index_words = fmt::format("only class indices below {}", names.classes);
  const std::string name_words = fmt::format("only class names of {}", names.owner);
  // If the kind is unknown, the message shows the label at which the second of the two interpretations (names, indices)
  // fails.
  const auto [bad, expected] = list.kind == LabelKind::names ? std::pair(unnamed, name_words)
                               : list.kind == LabelKind::indices
                                   ? std::pair(no_index, index_words)
                                   : std::pair(std::max(unnamed, no_index), index_words + ", or " + name_words);
  throw input_error("{}: unknown class (got {}, expected {})", list.where(bad), in_quotes(labels[bad]), expected)
      .with_hint(names.hint);
}

std::vector<std::string> classes_of_labels(const LabelList& list) {
  constexpr std::int64_t kMostClasses = 1 << 20;
  const std::set<std::string> names(list.labels.begin(), list.labels.end());
  const auto not_number = std::find_if(list.labels.begin(), list.labels.end(),
                                       [](const std::string& label) { return !class_number(label); });
  const auto at = [&](auto where) { return list.where(static_cast<std::size_t>(where - list.labels.begin())); };
  if (list.kind == LabelKind::names || (not_number != list.labels.end() && list.kind != LabelKind::indices)) {
    std::vector<std::string> classes(names.begin(), names.end());
    check_class_names(classes, NamesAre::texts, list.source, list.what);
    return classes;
  }
  if (not_number != list.labels.end())
    throw input_error("{}: not a class index (got {}, expected a number from 0)", at(not_number),
                      in_quotes(*not_number));
  std::int64_t largest = -1;
  for (auto label = list.labels.begin(); label != list.labels.end(); ++label) {
    const std::int64_t number = class_number(*label).value();
    if (number >= kMostClasses)
      throw input_error("{}: label out of range (got {}, expected 0 to {})", at(label), number, kMostClasses - 1);
    largest = std::max(largest, number);
  }
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i <= largest; ++i) classes.push_back(std::to_string(i));
  return classes;
}

void check_class_names(const std::vector<std::string>& names, NamesAre kind, std::string_view source,
                       std::string_view what) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto remedy = [&](const std::string& name) {
    return kind == NamesAre::folders ? fmt::format("rename it: mv ${} NEW", in_quotes(name))
                                     : fmt::format("correct it in {}", source);
  };
  for (const std::string& name : names) {
    if (!is_utf8(name)) {
      throw input_error("{}: {} is not UTF-8 (got {}, expected UTF-8 text, as a model file needs it)", source, what,
                        in_quotes(name))
          .with_hint(remedy(name) + (kind == NamesAre::folders ? "; to convert all names in a folder from Western "
                                                                 "European: convmv -f CP1252 -t UTF-8 -r --notest DIR"
                                                               : ""));
    }
    if (std::any_of(name.begin(), name.end(), is_control))
      throw input_error("{}: {} has a control character (got {}, expected printable text, as a model file needs it)",
                        source, what, in_quotes(name))
          .with_hint(remedy(name));
    if (trimmed(name).empty())
      throw input_error("{}: {} is empty or blank (got {}, expected a class name)", source, what, in_quotes(name));
  }
}

}  // namespace effnet::data
