// Labelled images on disk: class folders, or one folder with a CSV of labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "effnet/base/folder.h"
#include "effnet/data/class_names.h"
#include "effnet/data/part.h"

namespace effnet::data {

struct LabelledImage {
  std::filesystem::path path;
  std::int64_t class_index = 0;
  std::optional<Part> part = {};  // the split that a list gives; empty for class folders and lists without splits
};

struct SkippedFile {
  std::filesystem::path path;
  std::string why;
};

struct ImageSet {
  std::vector<LabelledImage> images;  // sorted by path
  std::vector<SkippedFile> skipped;   // files that are not used, and why: not an image by its extension, ...
  std::vector<std::string> notes;     // how labels were interpreted, if the user should know
  std::vector<std::string> classes;   // read_labelled_folder() only: the names of the classes
};

// Returns the class folders of a split: its sub-folders, sorted. Hidden folders, and links to a folder that contains
// the split, are left out. They are added to `skipped`, as are files beside the class folders, if `skipped` is not
// null. Throws Error(input) if the folder cannot be read.
std::vector<std::filesystem::path> class_folders(const std::filesystem::path& folder,
                                                 std::vector<SkippedFile>* skipped = nullptr);
bool has_class_folders(const std::filesystem::path& folder);

// Lists the images of class folders and their sub-folders, sorted within each folder. Links are followed, but each
// folder is visited once, so that a link to an enclosing folder does not cause an endless loop.
class ImageWalk {
 public:
  explicit ImageWalk(const std::filesystem::path& split);  // the parent of the class folders
  // Appends the images of one class to `set`. Throws Error(input) if the folder was already visited for another class,
  // and Error(interrupted) after an interrupt signal.
  void add_class(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);
  // Returns the images of the folder itself and of its sub-folders; all have the class 0.
  static ImageSet all(const std::filesystem::path& folder);

 private:
  bool enter(const FileId& id, const std::filesystem::path& folder);
  void add_images(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

  std::map<FileId, std::string> read_;  // visited folders, with their paths
};

// Reads class folders. match_folders() (class_names.h) finds their classes. Throws Error(input) if there is no class
// folder, or if the class of a folder is unknown or ambiguous.
ImageSet read_class_folders(const std::filesystem::path& folder, const ClassNames& names, const ExtraNames& extra);

// Reads images in a folder, with or without sub-folders, that a CSV file labels with lines `file,class`; files are
// relative to the folder. The classes are indices or names; match_labels() finds them. If `names` has no classes, they
// are those of the list: see classes_of_labels(). The separator may also be a tab or a semicolon, and fields may be
// quoted. If a line has more than two fields, the last one is the class, and the others, joined by commas, are the
// file.
//
// The first line is a header if its file does not exist and its class is unknown (without known classes: if its file
// does not exist and has no image's extension). The title of a header's class may state the kind of the labels (`index`
// or `name`). If the last of three or more titles is `split`, the last field of each line is the split (train, val or
// test; val may be valid or validation), and the field before it is the class. The classes of such a list, if `names`
// has none, are those of its lines of train.
//
// Throws Error(input) with the line number if a class or a split is unknown, if a file does not exist, or if a file has
// two classes or two splits. Images that no line names are skipped.
ImageSet read_labelled_folder(const std::filesystem::path& folder, const std::filesystem::path& csv,
                              const ClassNames& names, const ExtraNames& extra);

// Returns the splits that a CSV file gives to images of `folder`; none if it has no column `split`. Does not look at
// the images.
std::set<Part> parts_of_list(const std::filesystem::path& folder, const std::filesystem::path& csv);

bool is_image_name(const std::filesystem::path& path);  // calls vision::is_image_name()

}  // namespace effnet::data
