// IMAGE arguments: files, and folders of images.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::cli {

inline constexpr const char* kFolderHelp = "; a folder means all images in it and in its sub-folders";

// Returns the paths with each folder replaced by the images in it and in its sub-folders, sorted within each folder.
// Files are recognised by their extension; hidden ones are left out. Other paths are kept, existing or not. Throws
// Error(input) for a folder without images or one that cannot be read, and Error(interrupted) after a signal.
std::vector<std::string> image_paths(const std::vector<std::string>& arguments);

bool is_folder(const std::string& path);

// Throws Error(usage) if a map of CamPaths could replace one of `images`: one of them is a NAME_cam.png in `folder`.
// `flag`: the option of the folder.
void check_cam_folder(std::string_view flag, const std::string& folder, const std::vector<std::string>& images);

// The files in `folder` for images with class activation maps: NAME_cam.png, or NAME_2_cam.png and so on if an earlier
// image has the same name.
class CamPaths {
 public:
  explicit CamPaths(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::string next(const std::string& image);

 private:
  std::filesystem::path folder_;
  std::set<std::string> used_;
};

}  // namespace effnet::cli
