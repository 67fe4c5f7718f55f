// Image files as a dataset: class folders (DIR/SPLIT/CLASS/**/image.jpg), and a folder with a list of labels.
#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

// ImageNet has 1.3 million images. A path is stored as a string, because fs::path takes ten times as much memory.
struct Row {
  std::string name;  // path relative to root
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
  ImageData read(std::int64_t index) const override { return read_bytes(root_ / row(index).name); }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  const Row& row(std::int64_t index) const { return rows_.at(static_cast<std::size_t>(index)); }

  fs::path root_;
  std::vector<std::string> classes_;
  std::vector<Row> rows_;
  std::vector<SkippedFile> skipped_;
};

}  // namespace

std::vector<std::string> folder_names(const std::vector<fs::path>& folders) {
  std::vector<std::string> names(folders.size());
  std::transform(folders.begin(), folders.end(), names.begin(),
                 [](const fs::path& one) { return one.filename().string(); });
  if (!folders.empty())
    check_class_names(names, NamesAre::folders, folders.front().parent_path().string(), "a class folder's name");
  return names;
}

std::unique_ptr<Dataset> open_class_folders(const fs::path& root, const fs::path& folder, const ClassNames& names) {
  std::vector<SkippedFile> skipped;
  const std::vector<fs::path> folders = class_folders(folder, &skipped);
  if (folders.empty()) {
    throw input_error("{}: no class folders (got none, expected one folder per class with its images)",
                      folder.string());
  }
  ClassNames known = names;
  if (known.classes == 0) {
    known.classes = static_cast<std::int64_t>(folders.size());
    known.labels = folder_names(folders);
  }
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i < known.classes; ++i) classes.push_back(known.name(i));

  const ClassAssignment assignment = match_folders(folders, known, {});
  ImageWalk walk(folder);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    ImageSet one;
    walk.add_class(folders[i], assignment.classes[i], one);
    for (const LabelledImage& image : one.images)
      rows.push_back({relative_name(root, image.path), static_cast<std::int32_t>(assignment.classes[i])});
    skipped.insert(skipped.end(), one.skipped.begin(), one.skipped.end());
  }
  return std::make_unique<FolderDataset>(root, std::move(classes), std::move(rows), std::move(skipped));
}

AllImages open_labelled(const Source& source, const ClassNames& names) {
  ImageSet list = read_labelled_folder(source.folder, source.labels, names, {});
  AllImages all;
  std::vector<Row> rows;
  for (const LabelledImage& image : list.images) {
    rows.push_back({relative_name(source.folder, image.path), static_cast<std::int32_t>(image.class_index)});
    all.origin.push_back(image.part);
  }
  all.set =
      std::make_shared<FolderDataset>(source.folder, std::move(list.classes), std::move(rows), std::move(list.skipped));
  return all;
}

}  // namespace effnet::data
