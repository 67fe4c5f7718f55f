// All images of a source in one dataset, and the checks of a dataset's classes.
#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

std::vector<std::int64_t> images_per_class(const Dataset& set) {
  std::vector<std::int64_t> count(set.classes().size());
  for (std::int64_t i = 0; i < set.size(); ++i) ++count[static_cast<std::size_t>(set.label(i))];
  return count;
}

bool has_images(const fs::path& folder) {
  return !files_in(folder, [](const std::string& name) {
            return !name.starts_with('.') && is_image_name(name);
          }).empty();
}

bool is_split_folder(const fs::path& folder) {
  return std::any_of(kPartNames.begin(), kPartNames.end(),
                     [&](const auto& one) { return one.second == folder.filename().string(); });
}

// Class folders beside the folder `split` would not be read: usually someone has put classes into the wrong folder.
void check_no_folders_beside(const fs::path& folder, const std::string& split) {
  for (const fs::path& other : class_folders(folder)) {
    if (is_split_folder(other) || !has_images(other)) continue;
    const bool is_class = !has_class_folders(folder / split) && has_images(folder / split);
    throw input_error(
        "{}: splits and class folders in one folder (got {}/ and {}/ with images, expected only one kind)",
        folder.string(), split, other.filename().string())
        .with_hint(is_class ? fmt::format("if {0} is the name of a class, rename that folder: {0} is also the name of "
                                          "a split",
                                          split)
                            : fmt::format("move {} into {}, or to another folder", other.string(),
                                          (folder / "train").string()));
  }
}

void check_letter_case(const std::vector<std::string>& classes, const std::string& source) {
  std::map<std::string, std::string> names;  // in lower case -> as written
  for (const std::string& name : classes) {
    const auto [other, added] = names.emplace(lower_case(name), name);
    if (!added) {
      throw input_error("{}: two classes differ only in letter case (got {} and {}, expected different names)", source,
                        in_quotes(other->second), in_quotes(name))
          .with_hint("put the images of both into one class, or rename one of them");
    }
  }
}

AllImages open_bare_folders(const fs::path& folder, const ClassNames& names) {
  AllImages all;
  all.set = open_class_folders(folder, folder, names);
  all.origin.resize(static_cast<std::size_t>(all.set->size()));
  check_classes(*all.set, folder.string(), /*training=*/true);
  if (names.classes == 0) check_empty_folders(*all.set, folder);
  return all;
}

AllImages open_splits(const Source& source, const std::vector<Part>& parts, ClassNames names) {
  AllImages all;
  std::vector<std::unique_ptr<Dataset>> sets;
  for (const Part part : parts) {
    std::unique_ptr<Dataset> set = open_dataset(source, name_in(kPartNames, part), names);
    if (names.classes == 0) {
      names = {.classes = static_cast<std::int64_t>(set->classes().size()),
               .ids = {},
               .labels = set->classes(),
               .owner = fmt::format("{}/", name_in(kPartNames, part)),
               .hint = "give the classes the same names in all splits",
               .by_index = false};
    }
    if (!sets.empty() && sets.back()->name(0) == set->name(0)) {  // CIFAR's test_batch is val and test
      all.origin.resize(all.origin.size() - static_cast<std::size_t>(sets.back()->size()));
      sets.pop_back();
    }
    all.origin.insert(all.origin.end(), static_cast<std::size_t>(set->size()), part);
    sets.push_back(std::move(set));
  }
  all.set = joined(std::move(sets));
  return all;
}

// The images of a list in the order train, val, test.
AllImages open_listed(const Source& source, const ClassNames& names) {
  AllImages listed = open_labelled(source, names);
  std::vector<std::int64_t> order(listed.origin.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return listed.origin[static_cast<std::size_t>(a)] < listed.origin[static_cast<std::size_t>(b)];
  });
  AllImages all;
  for (const std::int64_t i : order) all.origin.push_back(listed.origin[static_cast<std::size_t>(i)]);
  all.set = select(std::move(listed.set), std::move(order));
  check_classes(*all.set, source.labels.string(), /*training=*/true);
  return all;
}

}  // namespace

void check_classes(const Dataset& set, std::string_view source, bool training) {
  if (set.size() == 0) {
    throw input_error("{}: no images (got {} other files, expected {} files)", source, set.skipped().size(),
                      vision::image_extensions());
  }
  const std::vector<std::int64_t> count = images_per_class(set);
  const auto used = count.size() - static_cast<std::size_t>(std::count(count.begin(), count.end(), 0));
  if (count.size() >= 2 && (!training || used >= 2)) return;
  const auto only = static_cast<std::size_t>(std::max_element(count.begin(), count.end()) - count.begin());
  throw input_error("{}: a single class (got only {}, expected at least two)", source, in_quotes(set.classes()[only]))
      .with_hint("a classifier needs two classes or more: give each class its own folder");
}

void check_empty_folders(const Dataset& set, const fs::path& folder) {
  const std::vector<std::int64_t> count = images_per_class(set);
  const auto empty = std::find(count.begin(), count.end(), 0);
  if (empty == count.end()) return;
  const std::string& name = set.classes()[static_cast<std::size_t>(empty - count.begin())];
  throw input_error("{}: no images of this class (got none, expected {} files)", (folder / name).string(),
                    vision::image_extensions())
      .with_hint("add images, or remove the folder if the class is not needed");
}

AllImages open_all(const Source& source, const ClassNames& names) {
  AllImages all;
  if (!source.labels.empty()) {
    all = open_listed(source, names);
  } else {
    std::error_code none;
    if (fs::is_directory(source.folder / "train", none)) check_no_folders_beside(source.folder, "train");
    std::vector<Part> parts;
    for (const Part part : kParts) {
      if (has_split(source, name_in(kPartNames, part))) parts.push_back(part);
    }
    if (!parts.empty() && parts.front() != Part::train)
      check_no_folders_beside(source.folder, split_name(source.folder, parts.front()));
    const bool is_folder = fs::is_directory(source.folder, none);
    if (!is_folder) {
      throw input_error("{}: not a folder of images (got {}, expected a folder with class folders, or with train/)",
                        source.folder.string(), fs::exists(source.folder, none) ? "a file" : "no such folder");
    }
    const bool bare = parts.empty() && has_class_folders(source.folder);
    if (parts.empty() && !bare) {
      throw input_error(
          "{}: no labelled images (got neither train/ nor class folders, expected DIR/CLASS/*.jpg or "
          "DIR/train/CLASS/*.jpg)",
          source.folder.string())
          .with_hint(
              "put the images of each class into a folder of its own; --labels CSV names the classes of images in "
              "one folder");
    }
    all = bare ? open_bare_folders(source.folder, names) : open_splits(source, parts, names);
  }
  check_letter_case(all.set->classes(), source.labels.empty() ? source.folder.string() : source.labels.string());
  return all;
}

}  // namespace effnet::data
