#include "effnet/data/split_file.h"

#include <fmt/ranges.h>

#include <unordered_map>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

// "class_name" tells other readers of the file that 7 is the name of a class and not an index (labels_csv.cc).
const std::vector<std::string> kHeader{"file", "class_name", "split"};
const std::vector<std::string> kOldHeader{"file", "class", "split"};  // of earlier versions, and of people

std::unordered_map<std::string, Part> read_parts(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  CsvRows rows(text, path.string(), CsvRows::From::effnet);
  if (!rows.next() || (rows.fields() != kHeader && rows.fields() != kOldHeader))
    throw input_error("{}: not a split file (got another first line, expected 'file,class_name,split')", path.string());
  std::unordered_map<std::string, Part> parts;
  while (rows.next()) {
    check_interrupt();
    const std::vector<std::string>& fields = rows.fields();
    if (fields.size() != kHeader.size()) {
      throw rows.error(
          fmt::format("not a line of a split file (got {} fields, expected 'file,class_name,split')", fields.size()));
    }
    const Part part = part_named(fields[2], fmt::format("{}:{}", path.string(), rows.line()));
    if (!parts.emplace(fields[0], part).second)
      throw rows.error(fmt::format("the file {} has two lines (expected one)", in_quotes(fields[0])));
  }
  return parts;
}

}  // namespace

void write_split_file(const std::filesystem::path& path, const Dataset& set, const std::vector<Part>& parts) {
  EFFNET_CHECK(parts.size() == static_cast<std::size_t>(set.size()));
  std::string text = fmt::format("{}\n", fmt::join(kHeader, ","));
  for (std::int64_t i = 0; i < set.size(); ++i) {
    text += fmt::format("{},{},{}\n", csv_field(set.name(i)),
                        csv_field(set.classes()[static_cast<std::size_t>(set.label(i))]),
                        name_in(kPartNames, parts[static_cast<std::size_t>(i)]));
  }
  write_text(path, text);
}

std::vector<Part> read_split_file(const std::filesystem::path& path, const Dataset& set,
                                  const std::function<Part(std::int64_t index)>& part_of_new) {
  const std::unordered_map<std::string, Part> known = read_parts(path);
  std::vector<Part> parts;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::string name = set.name(i);
    if (const auto found = known.find(name); found != known.end()) {
      parts.push_back(found->second);
    } else if (part_of_new) {
      parts.push_back(part_of_new(i));
    } else {
      throw input_error("{}: no line for the image {} (got {} lines, expected one for each of {} images)",
                        path.string(), in_quotes(name), known.size(), set.size());
    }
  }
  return parts;
}

}  // namespace effnet::data
