#include "effnet/data/dataset.h"

#include <algorithm>
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

bool is_shard(const std::string& name) { return name.ends_with(".tar") && !name.starts_with("."); }

std::vector<fs::path> cifar_files(const fs::path& folder, Part part) {
  for (const fs::path& candidate : {folder, folder / "cifar-10-batches-bin"}) {
    std::vector<fs::path> files = files_in(candidate, [&](const std::string& name) {
      return part == Part::train ? name.starts_with("data_batch_") && name.ends_with(".bin") : name == "test_batch.bin";
    });
    if (!files.empty()) return files;
  }
  return {};
}

std::optional<Layout> find_layout(const fs::path& folder, Part part) {
  const std::string split = split_name(folder, part);
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
  std::vector<fs::path> files = cifar_files(folder, part);
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
  for (const Part other : kParts) {
    if (find_layout(folder, other)) return error;
  }
  if (!has_class_folders(folder)) return error;
  return error.with_hint(
      fmt::format("the class folders are in {0} itself: 'effnet data split {0} -o NEW' makes a folder NEW with train/, "
                  "val/ and test/; 'effnet finetune {0} --out RUN' splits by itself",
                  path_in_shell(folder.string())));
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

ClassNames as_training_classes(ClassNames names, bool listed = false) {
  names.owner = listed ? "the training images" : "train/";
  names.hint = listed ? "each class needs a training image" : "give the class folders the same names as in train/";
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

std::unique_ptr<Dataset> open_found(const fs::path& folder, Part part, const Layout& layout, const ClassNames& names) {
  const bool own_classes = names.classes == 0;
  const std::optional<Layout> training =
      own_classes && part != Part::train ? find_layout(folder, Part::train) : std::optional<Layout>{};
  std::unique_ptr<Dataset> set = open_layout(folder, layout, training ? training_classes(folder, *training) : names);
  check_classes(*set, layout.source.string(), part == Part::train);
  if (part == Part::train && own_classes && layout.kind == Kind::class_folders)
    check_empty_folders(*set, layout.source);
  return set;
}

// Returns the images of a list's split, or null if the list has no image of it.
std::unique_ptr<Dataset> open_listed(const Source& source, Part part, const ClassNames& names) {
  AllImages all = open_labelled(source, names);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < all.set->size(); ++i) {
    if (all.origin[static_cast<std::size_t>(i)] == part) indices.push_back(i);
  }
  if (indices.empty()) return nullptr;
  std::unique_ptr<Dataset> set = select(std::move(all.set), std::move(indices));
  check_classes(*set, source.labels.string(), part == Part::train);
  return set;
}

// Returns null if the split does not exist.
std::unique_ptr<Dataset> find_split(const Source& source, Part part, const ClassNames& names) {
  if (!source.labels.empty()) return open_listed(source, part, names);
  const std::optional<Layout> layout = find_layout(source.folder, part);
  return layout ? open_found(source.folder, part, *layout, names) : nullptr;
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

std::string split_name(const fs::path& folder, Part part) {
  std::vector<std::string> found;
  for (const auto& [value, name] : kPartNames) {
    if (value != part) continue;
    const auto is_its_shard = [start = fmt::format("{}-", name)](const std::string& file) {
      return is_shard(file) && file.starts_with(start);
    };
    std::error_code ignored;
    if (fs::is_directory(folder / name, ignored) || !files_in(folder, is_its_shard).empty()) found.emplace_back(name);
  }
  if (found.size() > 1) {
    throw input_error("{}: the validation split exists twice (got {} and {}, expected one of them)", folder.string(),
                      found[0], found[1])
        .with_hint(fmt::format("keep only one of them: move {} to another folder", (folder / found[1]).string()));
  }
  return found.empty() ? std::string(name_in(kPartNames, part)) : found[0];
}

std::unique_ptr<Dataset> open_dataset(const Source& source, std::string_view split, const ClassNames& names) {
  std::unique_ptr<Dataset> set = find_split(source, named_in(kPartNames, split, "split"), names);
  if (set) return set;
  if (source.labels.empty()) throw no_split(source.folder, split);
  throw input_error("{}: no {} images (got no line with the split {}, expected some)", source.labels.string(), split,
                    split)
      .with_hint(fmt::format("give the list a header 'file,class,split' and lines 'FILE,CLASS,{}'", split));
}

std::unique_ptr<Dataset> open_validation(const Source& source, const ClassNames& given) {
  const ClassNames names = as_training_classes(given, !source.labels.empty());
  for (const Part part : {Part::val, Part::test}) {
    if (std::unique_ptr<Dataset> set = find_split(source, part, names)) return set;
  }
  return nullptr;
}

bool has_split(const Source& source, std::string_view split) {
  const Part part = named_in(kPartNames, split, "split");
  return source.labels.empty() ? find_layout(source.folder, part).has_value()
                               : parts_of_list(source.folder, source.labels).contains(part);
}

}  // namespace effnet::data
