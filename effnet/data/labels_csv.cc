// Images in one folder, labelled by a CSV file.
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
    // More than two fields: the name of the file contains commas and is not quoted.
    std::string file = fields[0];
    for (std::size_t i = 1; i + 1 < fields.size(); ++i) file += "," + fields[i];
    result.push_back({rows.line(), std::move(file), fields.back()});
  }
  return result;
}

// Returns the kind of the labels that the title of a header's last field states.
LabelKind label_kind(std::string title) {
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return c == ' ' || c == '-' ? '_' : static_cast<char>(std::tolower(c)); });
  if (title == "index" || title.ends_with("_index")) return LabelKind::indices;
  if (title == "name" || title == "id" || title == "wnid" || title.ends_with("_name") || title.ends_with("_id"))
    return LabelKind::names;
  return LabelKind::unknown;
}

bool file_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Removes the header, if there is one, and returns the kind of the labels that it states.
LabelKind take_header(std::vector<Row>& rows, const fs::path& folder, const ClassNames& names,
                      const ExtraNames& extra) {
  if (rows.empty() || file_exists(folder / rows[0].file)) return LabelKind::unknown;
  const std::string title = rows[0].label;
  try {
    match_labels({.labels = {title}, .kind = {}, .source = {}, .hint = {}, .where = {[](auto) { return ""; }}}, names,
                 extra);
    return LabelKind::unknown;  // the class is known: not a header, but a missing image
  } catch (const Error&) {
    rows.erase(rows.begin());
    return label_kind(title);
  }
}

// Returns the absolute path, so that different spellings of a path in the list are equal.
fs::path absolute_path(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).lexically_normal();
}

// Adds the images of `folder` that the list does not name to set.skipped.
void add_unlisted(const fs::path& folder, const std::map<fs::path, std::size_t>& listed, const fs::path& csv,
                  ImageSet& set) {
  for (const FolderEntry& entry : list_folder(folder)) {
    if (entry.is_folder() || !is_image_name(entry.name) || listed.contains(absolute_path(folder / entry.name)))
      continue;
    set.skipped.push_back({folder / entry.name, fmt::format("no line in {}", csv.string())});
  }
}

}  // namespace

ImageSet read_labelled_folder(const fs::path& folder, const fs::path& csv, const ClassNames& names,
                              const ExtraNames& extra) {
  std::vector<Row> rows = read_rows(csv);
  const LabelKind kind = take_header(rows, folder, names, extra);
  const auto where = [&](std::size_t i) { return fmt::format("{}:{}", csv.string(), rows[i].line); };
  ImageSet set;
  if (rows.empty()) throw input_error("{}: no labels (expected lines 'file,class')", csv.string());
  LabelList list{.labels = {},
                 .kind = kind,
                 .source = csv.string(),
                 .hint = "state the kind of the labels: add a first line 'file,index' or 'file,name'",
                 .where = where};
  for (const Row& row : rows) list.labels.push_back(row.label);
  ClassAssignment assignment = match_labels(list, names, extra);
  set.notes.push_back(std::move(assignment.note));

  std::map<fs::path, std::size_t> listed;  // path -> its row
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const fs::path path = folder / rows[i].file;
    if (!file_exists(path)) throw input_error("{}: {} does not exist", where(i), in_quotes(path.string()));
    const auto [other, added] = listed.emplace(absolute_path(path), i);
    if (added) {
      set.images.push_back({path, assignment.classes[i]});
    } else if (assignment.classes[other->second] != assignment.classes[i]) {
      throw input_error("{}: {} has two classes (got {}, and {} in line {}, expected one)", where(i),
                        in_quotes(rows[i].file), in_quotes(rows[i].label), in_quotes(rows[other->second].label),
                        rows[other->second].line);
    } else {
      set.skipped.push_back({path, fmt::format("a repeated line for this file in {}", where(i))});
    }
  }
  add_unlisted(folder, listed, csv, set);
  std::sort(set.images.begin(), set.images.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return set;
}

}  // namespace effnet::data
