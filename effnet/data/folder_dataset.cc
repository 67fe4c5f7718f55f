// Class folders as a Dataset: DIR/SPLIT/CLASS/**/picture.jpg.
#include <algorithm>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

// ImageNet has 1.3 million pictures: a path is kept as one short text, not as fs::path, which takes ten times as much.
struct Row {
  std::string name;  // below root
  std::int32_t label;
};

class FolderDataset final : public Dataset {
 public:
  FolderDataset(fs::path root, std::vector<std::string> classes, std::vector<Row> rows,
                std::vector<SkippedFile> skipped)
      : root_(std::move(root)), classes_(std::move(classes)), rows_(std::move(rows)), skipped_(std::move(skipped)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t label(std::int64_t index) const override { return row(index).label; }
  std::string name(std::int64_t index) const override { return row(index).name; }
  Picture read(std::int64_t index) const override {
    try {
      return read_bytes(root_ / row(index).name);
    } catch (const Error& error) {
      throw error.in(row(index).name);
    }
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  const Row& row(std::int64_t index) const { return rows_.at(static_cast<std::size_t>(index)); }

  fs::path root_;
  std::vector<std::string> classes_;
  std::vector<Row> rows_;
  std::vector<SkippedFile> skipped_;
};

void check_known(const fs::path& folder, const std::vector<std::string>& known) {
  const std::set<std::string> names(known.begin(), known.end());
  for (const fs::path& one : class_folders(folder)) {
    if (names.contains(one.filename().string())) continue;
    throw input_error("{}: a class that is not in train/ (got {}, expected one of its {} class folders)", one.string(),
                      in_quotes(one.filename().string()), known.size());
  }
}

}  // namespace

std::unique_ptr<Dataset> open_class_folders(const fs::path& root, const fs::path& folder, const ClassNames& names,
                                            bool exact) {
  const std::vector<fs::path> folders = class_folders(folder);
  if (folders.empty()) {
    throw input_error("{}: no class folders (got none, expected one folder a class with its pictures)",
                      folder.string());
  }
  if (exact) check_known(folder, names.ids);
  ClassNames known = names;
  if (known.classes == 0) {
    known.classes = static_cast<std::int64_t>(folders.size());
    known.ids.clear();
    for (const fs::path& one : folders) known.ids.push_back(one.filename().string());
  }

  std::vector<std::string> classes(static_cast<std::size_t>(known.classes));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    classes[i] = i < known.ids.size() ? known.ids[i] : i < known.labels.size() ? known.labels[i] : std::to_string(i);
  }
  std::vector<Row> rows;
  std::vector<SkippedFile> skipped;
  for (const auto& [path, label] : labelled_class_folders(folder, known, {})) {
    if (label < 0 || label >= known.classes) {
      throw input_error("{}: label out of range (got {}, expected 0 to {})", path.string(), label, known.classes - 1);
    }
    ImageSet one;
    add_pictures(path, label, one);
    for (const LabelledImage& image : one.images)
      rows.push_back({relative_name(root, image.path), static_cast<std::int32_t>(label)});
    skipped.insert(skipped.end(), one.skipped.begin(), one.skipped.end());
  }
  return std::make_unique<FolderDataset>(root, std::move(classes), std::move(rows), std::move(skipped));
}

}  // namespace effnet::data
