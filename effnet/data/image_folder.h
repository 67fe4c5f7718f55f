// A labelled set of images on disk: folders of class folders, or one folder with a CSV of labels.
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
  std::vector<SkippedFile> skipped;   // what lies there and is not read: files that are no images by their name, ...
  std::vector<std::string> notes;     // how labels were read, where a person should know
};

// The class folders of a split: folders in it, sorted. Hidden ones are left out, as are links to a folder above; these
// and files beside the class folders go to `skipped`, if it is given. Error(input) if the folder cannot be read.
std::vector<std::filesystem::path> class_folders(const std::filesystem::path& folder,
                                                 std::vector<SkippedFile>* skipped = nullptr);
bool has_class_folders(const std::filesystem::path& folder);

// Reads the images below class folders, in sub-folders too, sorted within each folder. Links are followed, but each
// folder is read once, so that a link to a folder above ends.
class ImageWalk {
 public:
  explicit ImageWalk(const std::filesystem::path& split);  // what holds the class folders
  // Appends the images of one class. Throws Error(input) for a folder that was read for another class, and
  // Error(interrupted).
  void add_class(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

 private:
  bool enter(const FileId& id, const std::filesystem::path& folder);
  void add_images(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

  std::map<FileId, std::string> read_;  // folder -> its path
};

// Class folders as match_folders() (class_names.h) reads their names. Throws Error(input) if there is no class folder,
// or a folder's class stays unknown.
ImageSet read_class_folders(const std::filesystem::path& folder, const ClassNames& names, const ExtraNames& extra);

// Images in one folder, labelled by a CSV `file,class` with class indices or names, as match_labels() reads them. The
// separator may be a tab or a semicolon, fields may stand in quotes; of more than two fields the last is the class. A
// first line that names no file and no class is a header; `index` or `name` in it says what the labels are. Throws
// Error(input) with the line for an unknown class, a file that is not there or that has two classes. Images without a
// line are skipped.
ImageSet read_labelled_folder(const std::filesystem::path& folder, const std::filesystem::path& csv,
                              const ClassNames& names, const ExtraNames& extra);

bool is_image_name(const std::filesystem::path& path);  // that of effnet/vision/formats.h

}  // namespace effnet::data
