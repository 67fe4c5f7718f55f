// A labelled set of pictures on disk: folders of class folders, or one folder with a CSV of labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  std::vector<SkippedFile> skipped;   // files that are not pictures by their name
};

// What a model knows of its classes: entry i of both (either may be empty) names class i.
struct ClassNames {
  std::int64_t classes = 0;
  std::vector<std::string> ids;  // WordNet ids for ImageNet
  std::vector<std::string> labels;
};

// Extra names for classes, from a file: lines "index<TAB>name<TAB>name..." or one name a line (line i names class i).
// Throws Error(input) for an index out of range or a name of two classes.
std::map<std::string, std::int64_t> read_class_file(const std::filesystem::path& file, std::int64_t classes);

// Class folders. A folder's name is looked up among the ids, then the labels (case and _ or - for a space don't
// matter), then `extra`; if none of them knows any folder and there are as many folders as classes, sorted order
// decides. Throws Error(input) if there is no class folder, or a folder's class stays unknown.
ImageSet read_class_folders(const std::filesystem::path& folder, const ClassNames& names,
                            const std::map<std::string, std::int64_t>& extra);

// What read_class_folders is made of, for sets that are too large to hold as paths at once.
std::vector<std::filesystem::path> class_folders(const std::filesystem::path& folder);  // sorted; hidden ones left out
std::vector<std::pair<std::filesystem::path, std::int64_t>> labelled_class_folders(
    const std::filesystem::path& folder, const ClassNames& names, const std::map<std::string, std::int64_t>& extra);
// Appends the pictures below one class's folder, in sub-folders too, sorted within each folder.
void add_pictures(const std::filesystem::path& folder, std::int64_t class_index, ImageSet& set);

// Pictures in one folder, labelled by a CSV `file,class` with a class index or id (a first line that is neither is a
// header). Throws Error(input) with the line for an unknown class or a file that is not there.
ImageSet read_labelled_folder(const std::filesystem::path& folder, const std::filesystem::path& csv,
                              const ClassNames& names, const std::map<std::string, std::int64_t>& extra);

bool has_class_folders(const std::filesystem::path& folder);
bool is_picture_name(const std::filesystem::path& path);  // that of effnet/vision/formats.h

}  // namespace effnet::data
