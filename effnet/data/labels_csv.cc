// Images in one folder, labelled by a CSV file.
#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/data/image_folder.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::int64_t line = 0;
  std::string file, label;
  std::optional<Part> part = {};
};
struct Table {
  std::vector<Row> rows;
  std::optional<std::string> title;  // of the classes, if the first line is a header with a column `split`
};

// Returns the kind of the labels that the title of a header's last field states.
LabelKind label_kind(const std::string& as_written) {
  std::string title = lower_case(as_written);
  std::replace_if(
      title.begin(), title.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
  if (title == "index" || title.ends_with("_index")) return LabelKind::indices;
  if (title == "name" || title == "id" || title == "wnid" || title.ends_with("_name") || title.ends_with("_id"))
    return LabelKind::names;
  return LabelKind::unknown;
}

bool file_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Returns the first `count` fields, joined by commas: the name of a file that contains commas and is not quoted.
std::string file_of(const std::vector<std::string>& fields, std::size_t count) {
  std::string file = fields[0];
  for (std::size_t i = 1; i < count; ++i) file += "," + fields[i];
  return file;
}

Table read_table(const fs::path& folder, const fs::path& csv) {
  const std::string text = read_text(csv);
  CsvRows rows(text, csv.string(), CsvRows::From::people);
  Table table;
  for (bool first = true; rows.next(); first = false) {
    check_interrupt();
    const std::vector<std::string>& fields = rows.fields();
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (first && fields.size() > 2 && lower_case(fields.back()) == "split" &&
        !file_exists(folder / file_of(fields, fields.size() - 1))) {
      table.title = fields[fields.size() - 2];
      continue;
    }
    const std::size_t after_file = table.title ? 2 : 1;  // fields after the name of the file
    if (fields.size() <= after_file) {
      throw input_error("{}:{}: not a label (got {}, expected '{}')", csv.string(), rows.line(),
                        in_quotes(file_of(fields, fields.size())),
                        table.title ? "file,class,split" : "file,class index or id");
    }
    const std::size_t label = fields.size() - after_file;
    Row row{rows.line(), file_of(fields, label), fields[label]};
    if (table.title) row.part = part_named(fields.back(), fmt::format("{}:{}", csv.string(), rows.line()));
    table.rows.push_back(std::move(row));
  }
  return table;
}

// Removes the header, if there is one, and returns the kind of the labels that it states.
LabelKind take_header(Table& table, const fs::path& folder, const ClassNames& names, const ExtraNames& extra) {
  if (table.title) return label_kind(*table.title);
  std::vector<Row>& rows = table.rows;
  if (rows.empty() || file_exists(folder / rows[0].file)) return LabelKind::unknown;
  const std::string title = rows[0].label;
  if (names.classes == 0) {
    if (is_image_name(rows[0].file)) return LabelKind::unknown;  // not a header, but a missing image
    rows.erase(rows.begin());
    return label_kind(title);
  }
  try {
    match_labels({.labels = {title}, .kind = {}, .source = {}, .hint = {}, .where = {[](auto) { return ""; }}}, names,
                 extra);
    return LabelKind::unknown;  // the class is known: not a header, but a missing image
  } catch (const Error&) {
    rows.erase(rows.begin());
    return label_kind(title);
  }
}

// The error for a line whose file does not exist. Usual mistakes get a hint.
Error missing_file(const fs::path& folder, const Row& row, const std::string& where) {
  const fs::path path = folder / row.file;
  const Error error = input_error("{}: {} does not exist", where, in_quotes(path.string()));
  if (is_image_name(row.label) && file_exists(folder / row.label))
    return error.with_hint("the columns are swapped: write the file first, then the class");
  if (const std::size_t comma = row.file.find(','); comma != std::string::npos && !row.part) {
    if (file_exists(folder / row.file.substr(0, comma)))
      return error.with_hint("a line has two columns, 'file,class'; three need the first line 'file,class,split'");
  }
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path(), ignored)) {
    if (entry.path().stem() == path.filename() && is_image_name(entry.path()))
      return error.with_hint(
          fmt::format("write the name with its extension: {}", in_quotes(entry.path().filename().string())));
  }
  return error;
}

// Returns the absolute path, so that different spellings of a path in the list are equal.
fs::path absolute_path(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).lexically_normal();
}

// Adds the images of `folder` that the list does not name to set.skipped.
void add_unlisted(const fs::path& folder, const std::map<fs::path, std::size_t>& listed, const fs::path& csv,
                  ImageSet& set) {
  for (const LabelledImage& image : ImageWalk::all(folder).images) {
    if (!listed.contains(absolute_path(image.path)))
      set.skipped.push_back({image.path, fmt::format("no line in {}", csv.string())});
  }
}

// The classes of a list are those of its lines of train, or of all its lines if it has no splits or no line of train.
ClassNames own_classes(const LabelList& list, const std::vector<Row>& rows) {
  LabelList used = list;
  std::vector<std::size_t> lines;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].part == Part::train) lines.push_back(i);
  }
  const bool of_train = !lines.empty();
  if (of_train) {
    used.labels.clear();
    for (const std::size_t i : lines) used.labels.push_back(rows[i].label);
    used.where = [&](std::size_t i) { return list.where(lines[i]); };
  }
  ClassNames names;
  names.labels = classes_of_labels(used);
  names.classes = static_cast<std::int64_t>(names.labels.size());
  names.owner = list.source + (of_train ? "'s lines of train" : "");
  names.hint = of_train ? "each class needs a training image" : "";
  return names;
}

// Returns the images of the rows, sorted by path, and the skipped lines.
ImageSet listed_images(const fs::path& folder, const fs::path& csv, const std::vector<Row>& rows,
                       const std::vector<std::int64_t>& classes, const LabelList& list) {
  ImageSet set;
  std::map<fs::path, std::size_t> listed;  // path -> its row
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check_interrupt();
    const fs::path path = folder / rows[i].file;
    if (!file_exists(path)) throw missing_file(folder, rows[i], list.where(i));
    const auto [other, added] = listed.emplace(absolute_path(path), i);
    const Row& before = rows[other->second];
    if (added) {
      set.images.push_back({path, classes[i], rows[i].part});
    } else if (classes[other->second] != classes[i]) {
      throw input_error("{}: {} has two classes (got {}, and {} in line {}, expected one)", list.where(i),
                        in_quotes(rows[i].file), in_quotes(rows[i].label), in_quotes(before.label), before.line);
    } else if (before.part != rows[i].part) {
      throw input_error("{}: {} has two splits (got {}, and {} in line {}, expected one)", list.where(i),
                        in_quotes(rows[i].file), name_in(kPartNames, *rows[i].part), name_in(kPartNames, *before.part),
                        before.line);
    } else {
      set.skipped.push_back({path, fmt::format("a repeated line for this file in {}", list.where(i))});
    }
  }
  add_unlisted(folder, listed, csv, set);
  std::sort(set.images.begin(), set.images.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return set;
}

}  // namespace

Part part_named(std::string_view name, std::string_view where) {
  try {
    return named_in(kPartNames, lower_case(std::string(name)), "split");
  } catch (const Error& error) {
    throw error.in(where);
  }
}

std::set<Part> parts_of_list(const fs::path& folder, const fs::path& csv) {
  std::set<Part> parts;
  for (const Row& row : read_table(folder, csv).rows) {
    if (row.part) parts.insert(*row.part);
  }
  return parts;
}

ImageSet read_labelled_folder(const fs::path& folder, const fs::path& csv, const ClassNames& given,
                              const ExtraNames& extra) {
  Table table = read_table(folder, csv);
  const LabelKind kind = take_header(table, folder, given, extra);
  const std::vector<Row>& rows = table.rows;
  if (rows.empty()) throw input_error("{}: no labels (expected lines 'file,class')", csv.string());
  LabelList list{.labels = {},
                 .kind = kind,
                 .source = csv.string(),
                 .hint = "state the kind of the labels: add a first line 'file,index' or 'file,name'",
                 .where = [&](std::size_t i) { return fmt::format("{}:{}", csv.string(), rows[i].line); },
                 .what = "a label"};
  for (const Row& row : rows) list.labels.push_back(row.label);
  // With swapped or too many columns the classes would be unknown, which is the smaller part of the truth.
  if (!file_exists(folder / rows.front().file)) {
    if (const Error error = missing_file(folder, rows.front(), list.where(0)); !error.hint().empty()) throw error;
  }
  const ClassNames names = given.classes == 0 ? own_classes(list, rows) : given;
  ClassAssignment assignment = match_labels(list, names, extra);
  ImageSet set = listed_images(folder, csv, rows, assignment.classes, list);
  if (!assignment.note.empty()) set.notes.push_back(std::move(assignment.note));
  for (std::int64_t i = 0; i < names.classes; ++i) set.classes.push_back(names.name(i));
  return set;
}

}  // namespace effnet::data
