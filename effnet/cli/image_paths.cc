#include "effnet/cli/image_paths.h"

#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/data/image_list.h"

namespace effnet::cli {

namespace fs = std::filesystem;

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<std::string> image_paths(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    if (!is_folder(argument)) {
      paths.push_back(argument);
      continue;
    }
    for (const data::LabelledImage& image : data::find_images(argument).images) paths.push_back(image.path.string());
  }
  return paths;
}

std::string CamPaths::next(const std::string& image) {
  const std::string stem = fs::path(image).stem().string();
  std::string name = stem + "_cam.png";
  for (int i = 2; !used_.insert(name).second; ++i) name = fmt::format("{}_{}_cam.png", stem, i);
  return (folder_ / name).string();
}

}  // namespace effnet::cli
