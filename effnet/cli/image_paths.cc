#include "effnet/cli/image_paths.h"

#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/image_list.h"

namespace effnet::cli {

namespace fs = std::filesystem;
namespace {
constexpr std::string_view kCamEnd = "_cam.png";
}

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

void check_cam_folder(std::string_view flag, const std::string& folder, const std::vector<std::string>& images) {
  std::error_code ignored;
  for (const std::string& image : images) {
    const fs::path parent = fs::path(image).parent_path();
    if (!image.ends_with(kCamEnd) || !fs::equivalent(parent.empty() ? fs::path(".") : parent, folder, ignored))
      continue;
    throw usage_error("{}: a map could replace an image that is read (got {}, expected another folder)", flag,
                      in_quotes(image))
        .with_hint(fmt::format("files that end in {} are maps of an earlier command", kCamEnd));
  }
}

std::string CamPaths::next(const std::string& image) {
  const std::string stem = fs::path(image).stem().string();
  std::string name = fmt::format("{}{}", stem, kCamEnd);
  for (int i = 2; !used_.insert(name).second; ++i) name = fmt::format("{}_{}{}", stem, i, kCamEnd);
  return (folder_ / name).string();
}

}  // namespace effnet::cli
