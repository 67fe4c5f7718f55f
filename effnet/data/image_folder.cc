#include "effnet/data/image_folder.h"

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

// Hidden entries are reported only if a user may miss them: folders and images.
bool is_worth_reporting(const FolderEntry& entry) {
  return !entry.is_hidden() || entry.is_folder() || is_image_name(entry.name);
}

constexpr const char* kHidden = "hidden: its name begins with a dot";

}  // namespace

bool is_image_name(const fs::path& path) { return vision::is_image_name(path); }

std::vector<fs::path> class_folders(const fs::path& folder, std::vector<SkippedFile>* skipped) {
  const std::vector<FileId> above = with_parents(folder);
  std::vector<fs::path> folders;
  for (const FolderEntry& entry : list_folder(folder)) {
    const bool loops = entry.is_folder() && std::find(above.begin(), above.end(), entry.id) != above.end();
    if (entry.is_folder() && !entry.is_hidden() && !loops) {
      folders.push_back(folder / entry.name);
    } else if (skipped != nullptr && is_worth_reporting(entry)) {
      skipped->push_back({folder / entry.name, entry.is_hidden() ? kHidden
                                               : loops           ? "a link to a folder above it"
                                                                 : "not in a class folder"});
    }
  }
  return folders;
}

bool has_class_folders(const fs::path& folder) { return !class_folders(folder).empty(); }

ImageWalk::ImageWalk(const fs::path& split) {
  for (const FileId& id : with_parents(split)) read_.emplace(id, split.string());
}

bool ImageWalk::enter(const FileId& id, const fs::path& folder) { return read_.emplace(id, folder.string()).second; }

void ImageWalk::add_class(const fs::path& folder, std::int64_t class_index, ImageSet& set) {
  const FileId id = with_parents(folder).front();
  if (!enter(id, folder)) {
    throw input_error("{}: the same folder as {} (got a link to it, expected a folder of its own for each class)",
                      folder.string(), read_.at(id))
        .with_hint("remove the link");
  }
  add_images(folder, class_index, set);
}

void ImageWalk::add_images(const fs::path& folder, std::int64_t class_index, ImageSet& set) {
  for (const FolderEntry& entry : list_folder(folder)) {
    const fs::path path = folder / entry.name;
    if (entry.is_hidden()) {
      if (is_worth_reporting(entry)) set.skipped.push_back({path, kHidden});
    } else if (entry.is_folder()) {
      if (enter(entry.id, path)) {
        add_images(path, class_index, set);
      } else {
        set.skipped.push_back({path, fmt::format("a link to a folder that was already read: {}", read_.at(entry.id))});
      }
    } else if (entry.mode != 0 && !entry.is_file()) {
      set.skipped.push_back({path, fmt::format("{}, not a file", kind_of_file(entry.mode))});
    } else if (is_image_name(path)) {
      set.images.push_back({path, class_index});
    } else {
      set.skipped.push_back({path, vision::about_other_name(path)});
    }
  }
}

ImageSet ImageWalk::all(const fs::path& folder) {
  ImageSet set;
  ImageWalk(folder).add_images(folder, 0, set);
  return set;
}

ImageSet read_class_folders(const fs::path& folder, const ClassNames& names, const ExtraNames& extra) {
  ImageSet set;
  const std::vector<fs::path> folders = class_folders(folder, &set.skipped);
  if (folders.empty()) {
    throw input_error("{}: no class folders (got none, expected one folder per class)", folder.string())
        .with_hint(
            "images in one folder need --labels CSV; each line of the CSV is FILE,CLASS (a class index or a class id)");
  }
  ClassAssignment assignment = match_folders(folders, names, extra);
  if (!assignment.note.empty()) set.notes.push_back(std::move(assignment.note));
  ImageWalk walk(folder);
  for (std::size_t i = 0; i < folders.size(); ++i) walk.add_class(folders[i], assignment.classes[i], set);
  return set;
}

}  // namespace effnet::data
