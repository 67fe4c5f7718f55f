// Labelled images on disk: class folders, or one folder with a CSV of labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "effnet/base/folder.h"
#include "effnet/data/class_names.h"

namespace effnet::data {

struct LabelledImage {
  std::filesystem::path path;
  std::int64_t class_index = 0;
};

struct SkippedFile {
  std::filesystem::path path;
  std::string why;
};

struct ImageSet {
  std::vector<LabelledImage> images;  // sorted by path
  std::vector<SkippedFile> skipped;   // files that are not read, because their extension is not an image's, ...
  std::vector<std::string> notes;     // how labels were interpreted, if the user should know
};

// Returns the class folders of a split: its sub-folders, sorted. Hidden folders and links to an enclosing folder are
// left out. These, and files beside the class folders, are added to `skipped` if it is not null. Throws Error(input) if
// the folder cannot be read.
std::vector<std::filesystem::path> class_folders(const std::filesystem::path& folder,
                                                 std::vector<SkippedFile>* skipped = nullptr);
bool has_class_folders(const std::filesystem::path& folder);

// Reads the images of class folders and their sub-folders, sorted within each folder. Links are followed, but each
// folder is read once, so that a link to an enclosing folder does not loop.
class ImageWalk {
 public:
  explicit ImageWalk(const std::filesystem::path& split);  // the folder that has the class folders
  // Appends the images of one class to `set`. Throws Error(input) for a folder that was already read for another class,
  // and Error(interrupted).
  void add_class(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

 private:
  bool enter(const FileId& id, const std::filesystem::path& folder);
  void add_images(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

  std::map<FileId, std::string> read_;  // folder -> its path
};

// Reads class folders; match_folders() (class_names.h) finds their classes. Throws Error(input) if there is no class
// folder, or a folder's class is unknown or ambiguous.
ImageSet read_class_folders(const std::filesystem::path& folder, const ClassNames& names, const ExtraNames& extra);

// Reads images in one folder, labelled by a CSV `file,class` with class indices or names; match_labels() finds their
// classes. The separator may also be a tab or a semicolon, fields may be quoted; of more than two fields the last is
// the class. A first line whose file does not exist and whose class is unknown is a header; `index` or `name` in it is
// the kind of the labels. Throws Error(input) with the line for an unknown class, a file that does not exist or that
// has two classes. Images without a line are skipped.
ImageSet read_labelled_folder(const std::filesystem::path& folder, const std::filesystem::path& csv,
                              const ClassNames& names, const ExtraNames& extra);

bool is_image_name(const std::filesystem::path& path);  // that of vision/formats.h

}  // namespace effnet::data
