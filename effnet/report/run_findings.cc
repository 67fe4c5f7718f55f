#include "effnet/report/run_findings.h"

#include <limits>

#include "effnet/base/file.h"
#include "effnet/report/csv.h"

namespace effnet::report {
namespace {

constexpr std::string_view kLabelErrorsHeader = "name,label,suggested,p_label,p_suggested";
constexpr std::string_view kNearDuplicatesHeader = "group,name,class";

}  // namespace

std::string label_errors_text(const std::vector<LabelError>& errors) {
  std::string text = fmt::format("{}\n", kLabelErrorsHeader);
  for (const LabelError& one : errors) {
    text += fmt::format("{},{},{},{},{}\n", csv_field(one.name), csv_field(one.label), csv_field(one.suggested),
                        shortest(one.p_label), shortest(one.p_suggested));
  }
  return text;
}

std::vector<LabelError> parse_label_errors(std::string_view text, std::string_view source) {
  CsvReader csv(text, source, kLabelErrorsHeader);
  std::vector<LabelError> errors;
  while (csv.next())
    errors.push_back({csv.field(0), csv.field(1), csv.field(2), csv.probability(3), csv.probability(4)});
  return errors;
}

std::vector<LabelError> read_label_errors(const std::filesystem::path& file) {
  return parse_label_errors(read_text(file), file.string());
}

std::string near_duplicates_text(const std::vector<NearDuplicate>& images) {
  std::string text = fmt::format("{}\n", kNearDuplicatesHeader);
  for (const NearDuplicate& one : images)
    text += fmt::format("{},{},{}\n", one.group, csv_field(one.name), csv_field(one.class_name));
  return text;
}

std::vector<NearDuplicate> parse_near_duplicates(std::string_view text, std::string_view source) {
  CsvReader csv(text, source, kNearDuplicatesHeader);
  std::vector<NearDuplicate> images;
  while (csv.next())
    images.push_back({csv.integer(0, 0, std::numeric_limits<std::int64_t>::max()), csv.field(1), csv.field(2)});
  return images;
}

std::vector<NearDuplicate> read_near_duplicates(const std::filesystem::path& file) {
  return parse_near_duplicates(read_text(file), file.string());
}

}  // namespace effnet::report
