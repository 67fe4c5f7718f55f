#include "effnet/data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// "Great_White-shark" and "great white shark" are one label.
std::string plain_label(std::string text) {
  std::replace(text.begin(), text.end(), '_', ' ');
  std::replace(text.begin(), text.end(), '-', ' ');
  return lower(std::move(text));
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// Name -> class. An ambiguous label (ImageNet has two cranes) is left out, so that it fails instead of guessing.
struct ClassLookup {
  std::map<std::string, std::int64_t> ids, labels;
  const std::map<std::string, std::int64_t>& extra;

  ClassLookup(const ClassNames& names, const std::map<std::string, std::int64_t>& extra_names) : extra(extra_names) {
    for (std::size_t i = 0; i < names.ids.size(); ++i) ids.emplace(names.ids[i], static_cast<std::int64_t>(i));
    std::map<std::string, int> times;
    for (const std::string& label : names.labels) ++times[plain_label(label)];
    for (std::size_t i = 0; i < names.labels.size(); ++i) {
      const std::string label = plain_label(names.labels[i]);
      if (times[label] == 1) labels.emplace(label, static_cast<std::int64_t>(i));
    }
  }

  std::optional<std::int64_t> find(const std::string& name) const {
    if (const auto found = ids.find(name); found != ids.end()) return found->second;
    // "n01443537_goldfish": the id leads, as many copies of ImageNet name their folders.
    if (const auto found = ids.find(name.substr(0, name.find('_'))); found != ids.end()) return found->second;
    if (const auto found = labels.find(plain_label(name)); found != labels.end()) return found->second;
    if (const auto found = extra.find(name); found != extra.end()) return found->second;
    return {};
  }
};

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!it->path().filename().string().starts_with(".")) entries.push_back(*it);
  }
  if (code) throw input_error("{}: cannot read this folder ({})", folder.string(), code.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

bool is_picture_name(const fs::path& path) { return vision::is_picture_name(path); }

std::vector<fs::path> class_folders(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    std::error_code ignored;
    if (entry.is_directory(ignored)) folders.push_back(entry.path());
  }
  return folders;
}

// Pictures of one class, in sub-folders too.
void add_pictures(const fs::path& folder, std::int64_t class_index, ImageSet& set) {
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    std::error_code ignored;
    if (entry.is_directory(ignored)) {
      add_pictures(entry.path(), class_index, set);
    } else if (is_picture_name(entry.path())) {
      set.images.push_back({entry.path(), class_index});
    } else {
      set.skipped.push_back({entry.path(), vision::about_other_name(entry.path())});
    }
  }
}

bool has_class_folders(const fs::path& folder) { return !class_folders(folder).empty(); }

std::map<std::string, std::int64_t> read_class_file(const fs::path& file, std::int64_t classes) {
  std::map<std::string, std::int64_t> names;
  std::istringstream in(read_text(file));
  std::string line;
  std::int64_t number = 0;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const std::int64_t line_number = ++number;
    std::int64_t index = line_number - 1;
    std::istringstream fields(line);
    std::string field;
    bool first = true;
    const bool tabbed = line.find('\t') != std::string::npos;
    while (std::getline(fields, field, '\t')) {
      if (first && tabbed) {
        const auto parsed = whole_number(field);
        if (!parsed)
          throw input_error("{}:{}: not a class index (got {}, expected a whole number)", file.string(), line_number,
                            in_quotes(field));
        index = *parsed;
      }
      if (index < 0 || index >= classes) {
        throw input_error("{}:{}: class out of range (got {}, expected 0 to {})", file.string(), line_number, index,
                          classes - 1);
      }
      if ((!first || !tabbed) && !field.empty()) {
        const auto [where, added] = names.emplace(field, index);
        if (!added && where->second != index) {
          throw input_error("{}:{}: {} names two classes (got {} and {}, expected one)", file.string(), line_number,
                            in_quotes(field), where->second, index);
        }
      }
      first = false;
    }
  }
  return names;
}

std::vector<std::pair<fs::path, std::int64_t>> labelled_class_folders(
    const fs::path& folder, const ClassNames& names, const std::map<std::string, std::int64_t>& extra) {
  const std::vector<fs::path> folders = class_folders(folder);
  if (folders.empty()) {
    throw input_error("{}: no class folders (got none, expected one folder a class)", folder.string())
        .with_hint("pictures in one folder need --labels CSV with lines 'file,class index or id'");
  }
  const ClassLookup lookup(names, extra);
  std::vector<std::optional<std::int64_t>> found;
  found.reserve(folders.size());
  for (const fs::path& one : folders) found.push_back(lookup.find(one.filename().string()));
  const bool none_known = std::none_of(found.begin(), found.end(), [](const auto& index) { return index.has_value(); });
  const bool by_order = none_known && static_cast<std::int64_t>(folders.size()) == names.classes;
  std::vector<std::pair<fs::path, std::int64_t>> labelled;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    if (by_order) found[i] = static_cast<std::int64_t>(i);
    if (!found[i]) {
      throw input_error("{}: this folder's name is no class of the model (got {}, expected a class id or label)",
                        folders[i].string(), in_quotes(folders[i].filename().string()))
          .with_hint(fmt::format("give --classes FILE with lines 'index<TAB>folder name'; sorted order counts only if "
                                 "there are {} folders",
                                 names.classes));
    }
    labelled.emplace_back(folders[i], *found[i]);
  }
  return labelled;
}

ImageSet read_class_folders(const fs::path& folder, const ClassNames& names,
                            const std::map<std::string, std::int64_t>& extra) {
  ImageSet set;
  for (const auto& [path, class_index] : labelled_class_folders(folder, names, extra))
    add_pictures(path, class_index, set);
  return set;
}

ImageSet read_labelled_folder(const fs::path& folder, const fs::path& csv, const ClassNames& names,
                              const std::map<std::string, std::int64_t>& extra) {
  const ClassLookup lookup(names, extra);
  ImageSet set;
  std::istringstream in(read_text(csv));
  std::string line;
  std::int64_t number = 0;
  while (std::getline(in, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const std::size_t comma = line.rfind(',');
    if (comma == std::string::npos) {
      throw input_error("{}:{}: not a label (got {}, expected 'file,class index or id')", csv.string(), number,
                        in_quotes(line));
    }
    const fs::path path = folder / line.substr(0, comma);
    const std::string name = line.substr(comma + 1);
    std::optional<std::int64_t> index = lookup.find(name);
    if (!index) index = whole_number(name);
    std::error_code ignored;
    const bool exists = fs::exists(path, ignored);
    if (number == 1 && !index && !exists) continue;  // a header
    if (!index || *index < 0 || *index >= names.classes) {
      throw input_error("{}:{}: unknown class (got {}, expected an index below {} or a class id)", csv.string(), number,
                        in_quotes(name), names.classes);
    }
    if (!exists) throw input_error("{}:{}: {} is not there", csv.string(), number, in_quotes(path.string()));
    set.images.push_back({path, *index});
  }
  std::sort(set.images.begin(), set.images.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return set;
}

}  // namespace effnet::data
