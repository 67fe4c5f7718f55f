// Reads and writes label_errors.csv and near_duplicates.csv of a run folder: what `effnet finetune` found in the data.
// The rules of run_folder.h for CSV files apply. The names of images are relative to the data folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// A line of label_errors.csv (name,label,suggested,p_label,p_suggested): an image whose label is probably wrong. The
// lines are sorted, the most probable error first. The probabilities are those of a classifier that was not trained on
// the image.
struct LabelError {
  std::string name;
  std::string label, suggested;        // class names
  float p_label = 0, p_suggested = 0;  // 0..1
};
std::string label_errors_text(const std::vector<LabelError>& errors);
std::vector<LabelError> parse_label_errors(std::string_view text, std::string_view source);
std::vector<LabelError> read_label_errors(const std::filesystem::path& file);

// A line of near_duplicates.csv (group,name,class). Images with the same group look the same. Groups with several
// classes are first.
struct NearDuplicate {
  std::int64_t group = 0;
  std::string name, class_name;
};
std::string near_duplicates_text(const std::vector<NearDuplicate>& images);
std::vector<NearDuplicate> parse_near_duplicates(std::string_view text, std::string_view source);
std::vector<NearDuplicate> read_near_duplicates(const std::filesystem::path& file);

}  // namespace effnet::report
