// One folder of images with a list of their classes.
#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/data/image_folder.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::int64_t line = 0;
  std::string file, label;
};

std::vector<Row> read_rows(const fs::path& csv) {
  const std::string text = read_text(csv);
  CsvRows rows(text, csv.string(), CsvRows::From::people);
  std::vector<Row> result;
  while (rows.next()) {
    check_interrupt();
    const std::vector<std::string>& fields = rows.fields();
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() < 2) {
      throw input_error("{}:{}: not a label (got {}, expected 'file,class index or id')", csv.string(), rows.line(),
                        in_quotes(fields[0]));
    }
    // A comma in a file's name that nobody put in quotes.
    std::string file = fields[0];
    for (std::size_t i = 1; i + 1 < fields.size(); ++i) file += "," + fields[i];
    result.push_back({rows.line(), std::move(file), fields.back()});
  }
  return result;
}

// What a header calls the labels.
Reading reading_of(std::string title) {
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return c == ' ' || c == '-' ? '_' : static_cast<char>(std::tolower(c)); });
  if (title == "index" || title.ends_with("_index")) return Reading::indices;
  if (title == "name" || title == "id" || title == "wnid" || title.ends_with("_name") || title.ends_with("_id"))
    return Reading::names;
  return Reading::unknown;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Takes the header away, if there is one.
Reading take_header(std::vector<Row>& rows, const fs::path& folder, const ClassNames& names, const ExtraNames& extra) {
  if (rows.empty() || is_there(folder / rows[0].file)) return Reading::unknown;
  const std::string title = rows[0].label;
  try {
    match_labels({.labels = {title}, .reading = {}, .source = {}, .hint = {}, .where = {[](auto) { return ""; }}},
                 names, extra);
    return Reading::unknown;  // an image that is missing
  } catch (const Error&) {
    rows.erase(rows.begin());
    return reading_of(title);
  }
}

// One spelling for one file, whether the list has its whole path or not.
fs::path whole(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).lexically_normal();
}

// Images that the list does not name.
void add_unlisted(const fs::path& folder, const std::map<fs::path, std::size_t>& listed, const fs::path& csv,
                  ImageSet& set) {
  for (const FolderEntry& entry : list_folder(folder)) {
    if (entry.is_folder() || !is_image_name(entry.name) || listed.contains(whole(folder / entry.name))) continue;
    set.skipped.push_back({folder / entry.name, fmt::format("no line in {}", csv.string())});
  }
}

}  // namespace

ImageSet read_labelled_folder(const fs::path& folder, const fs::path& csv, const ClassNames& names,
                              const ExtraNames& extra) {
  std::vector<Row> rows = read_rows(csv);
  const Reading reading = take_header(rows, folder, names, extra);
  const auto where = [&](std::size_t i) { return fmt::format("{}:{}", csv.string(), rows[i].line); };
  ImageSet set;
  if (rows.empty()) throw input_error("{}: no labels in it (expected lines 'file,class')", csv.string());
  LabelList list{.labels = {},
                 .reading = reading,
                 .source = csv.string(),
                 .hint = "a first line 'file,index' or 'file,name' says which",
                 .where = where};
  for (const Row& row : rows) list.labels.push_back(row.label);
  Matched matched = match_labels(list, names, extra);
  set.notes.push_back(std::move(matched.note));

  std::map<fs::path, std::size_t> listed;  // -> row
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const fs::path path = folder / rows[i].file;
    if (!is_there(path)) throw input_error("{}: {} is not there", where(i), in_quotes(path.string()));
    const auto [other, added] = listed.emplace(whole(path), i);
    if (added) {
      set.images.push_back({path, matched.classes[i]});
    } else if (matched.classes[other->second] != matched.classes[i]) {
      throw input_error("{}: {} has two classes (got {} and, in line {}, {}, expected one)", where(i),
                        in_quotes(rows[i].file), in_quotes(rows[i].label), rows[other->second].line,
                        in_quotes(rows[other->second].label));
    } else {
      set.skipped.push_back({path, fmt::format("a second line for it in {}", where(i))});
    }
  }
  add_unlisted(folder, listed, csv, set);
  std::sort(set.images.begin(), set.images.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return set;
}

}  // namespace effnet::data
