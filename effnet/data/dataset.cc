#include "effnet/data/dataset.h"

#include <algorithm>
#include <array>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

enum class Kind { class_folders, shards, cifar };
struct Layout {
  Kind kind = Kind::class_folders;
  fs::path source;               // for messages
  std::vector<fs::path> shards;  // the shards, or CIFAR's files
};

// The names that a split may have on disk.
struct SplitName {
  std::string_view split, name;
};
constexpr std::array kSplitNames{SplitName{"train", "train"}, SplitName{"val", "val"}, SplitName{"val", "valid"},
                                 SplitName{"val", "validation"}, SplitName{"test", "test"}};

bool is_shard(const std::string& name) { return name.ends_with(".tar") && !name.starts_with("."); }

std::vector<fs::path> cifar_files(const fs::path& folder, std::string_view split) {
  for (const fs::path& candidate : {folder, folder / "cifar-10-batches-bin"}) {
    std::vector<fs::path> files = files_in(candidate, [&](const std::string& name) {
      return split == "train" ? name.starts_with("data_batch_") && name.ends_with(".bin") : name == "test_batch.bin";
    });
    if (!files.empty()) return files;
  }
  return {};
}

std::optional<Layout> find_layout(const fs::path& folder, std::string_view general_split) {
  const std::string split = split_name(folder, general_split);
  std::error_code ignored;
  const fs::path path = folder / split;
  if (fs::is_directory(path, ignored)) {
    if (has_class_folders(path)) return Layout{Kind::class_folders, path, {}};
    std::vector<fs::path> shards = files_in(path, is_shard);
    if (shards.empty()) return Layout{Kind::class_folders, path, {}};  // open_class_folders() will throw
    return Layout{Kind::shards, path, std::move(shards)};
  }
  std::vector<fs::path> shards =
      files_in(folder, [&](const std::string& name) { return is_shard(name) && name.starts_with(split + "-"); });
  if (!shards.empty()) return Layout{Kind::shards, fmt::format("{}-*.tar", path.string()), std::move(shards)};
  std::vector<fs::path> files = cifar_files(folder, split);
  if (!files.empty()) return Layout{Kind::cifar, files.front(), std::move(files)};
  return {};
}

Error no_split(const fs::path& folder, std::string_view split) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return input_error("{}: not a dataset folder (got {}, expected a folder with {}/)", folder.string(),
                       fs::exists(folder, ignored) ? "a file" : "no such folder", split);
  }
  Error error = input_error("{}: no {} images (expected {}/ with class folders or tar shards, or CIFAR-10's .bin)",
                            folder.string(), split, split);
  for (const std::string_view other : {"train", "val", "test"}) {
    if (find_layout(folder, other)) return error;
  }
  if (!has_class_folders(folder)) return error;
  return error.with_hint(
      fmt::format("the class folders are in {0} itself: move them to {0}/train, and some images of "
                  "each class to {0}/val",
                  folder.string()));
}

std::unique_ptr<Dataset> open_layout(const fs::path& folder, const Layout& layout, const ClassNames& names) {
  switch (layout.kind) {
    case Kind::shards:
      return open_shards(folder, layout.shards, names);
    case Kind::cifar:
      return open_cifar(folder, layout.shards, names);
    case Kind::class_folders:
      break;
  }
  return open_class_folders(folder, layout.source, names);
}

ClassNames as_training_classes(ClassNames names) {
  names.owner = "train/";
  names.hint = "give the class folders the same names as in train/";
  names.by_index = false;
  return names;
}

// Returns the classes of the training split. Class folders are not searched for images.
ClassNames training_classes(const fs::path& folder, const Layout& training) {
  std::vector<std::string> labels = training.kind == Kind::class_folders ? folder_names(class_folders(training.source))
                                                                         : open_layout(folder, training, {})->classes();
  const auto count = static_cast<std::int64_t>(labels.size());
  return as_training_classes({.classes = count, .ids = {}, .labels = std::move(labels)});
}

// Throws Error(input) for a split that cannot be used. Training needs two classes with images. An empty class folder of
// train/ is an error, because it usually means that a copy has failed.
void check_classes(const Dataset& set, const Layout& layout, bool training, bool own_classes) {
  const std::string source = layout.source.string();
  if (set.size() == 0) {
    throw input_error("{}: no images (got {} other files, expected {} files)", source, set.skipped().size(),
                      vision::image_extensions());
  }
  std::vector<std::int64_t> count(set.classes().size());
  for (std::int64_t i = 0; i < set.size(); ++i) ++count[static_cast<std::size_t>(set.label(i))];
  const auto used = count.size() - static_cast<std::size_t>(std::count(count.begin(), count.end(), 0));
  if (count.size() < 2 || (training && used < 2)) {
    const auto only = static_cast<std::size_t>(std::max_element(count.begin(), count.end()) - count.begin());
    throw input_error("{}: a single class (got only {}, expected at least two)", source, in_quotes(set.classes()[only]))
        .with_hint("a classifier needs two classes or more: give each class its own folder");
  }
  if (!training || !own_classes || layout.kind != Kind::class_folders) return;
  const auto empty = std::find(count.begin(), count.end(), 0);
  if (empty != count.end()) {
    const std::string& name = set.classes()[static_cast<std::size_t>(empty - count.begin())];
    throw input_error("{}: no images of this class (got none, expected {} files)", (layout.source / name).string(),
                      vision::image_extensions())
        .with_hint("add images, or remove the folder if the class is not needed");
  }
}

std::unique_ptr<Dataset> open_found(const fs::path& folder, std::string_view split, const Layout& layout,
                                    const ClassNames& names) {
  const bool own_classes = names.classes == 0;
  const std::optional<Layout> training =
      own_classes && split != "train" ? find_layout(folder, "train") : std::optional<Layout>{};
  std::unique_ptr<Dataset> set = open_layout(folder, layout, training ? training_classes(folder, *training) : names);
  check_classes(*set, layout, split == "train", own_classes);
  return set;
}

}  // namespace

std::vector<fs::path> files_in(const fs::path& folder, const std::function<bool(const std::string&)>& passes) {
  std::vector<fs::path> files;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return files;
  for (const FolderEntry& entry : list_folder(folder)) {
    if (entry.is_file() && passes(entry.name)) files.push_back(folder / entry.name);
  }
  return files;
}

std::string split_name(const fs::path& folder, std::string_view split) {
  std::vector<std::string> found;
  for (const SplitName& one : kSplitNames) {
    if (one.split != split) continue;
    const auto is_its_shard = [&](const std::string& file) {
      return is_shard(file) && file.starts_with(fmt::format("{}-", one.name));
    };
    std::error_code ignored;
    if (fs::is_directory(folder / one.name, ignored) || !files_in(folder, is_its_shard).empty())
      found.emplace_back(one.name);
  }
  if (found.size() > 1) {
    throw input_error("{}: the validation split exists twice (got {} and {}, expected one of them)", folder.string(),
                      found[0], found[1])
        .with_hint(fmt::format("keep only one of them: move {} to another folder", (folder / found[1]).string()));
  }
  return found.empty() ? std::string(split) : found[0];
}

std::unique_ptr<Dataset> open_dataset(const fs::path& folder, std::string_view split, const ClassNames& names) {
  const std::optional<Layout> layout = find_layout(folder, split);
  if (!layout) throw no_split(folder, split);
  return open_found(folder, split, *layout, names);
}

std::unique_ptr<Dataset> open_validation(const fs::path& folder, const ClassNames& given) {
  const ClassNames names = as_training_classes(given);
  for (const std::string_view split : {"val", "test"}) {
    if (const std::optional<Layout> layout = find_layout(folder, split))
      return open_found(folder, split, *layout, names);
  }
  return nullptr;
}

bool has_split(const fs::path& folder, std::string_view split) { return find_layout(folder, split).has_value(); }

}  // namespace effnet::data
