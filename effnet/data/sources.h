// The implementations of Dataset, one file per format, and the functions that they share. Private to effnet/data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/data/dataset.h"

namespace effnet::data {

// `root` is DIR. The names of images are relative to it. If `names` is empty, the dataset uses its own classes.
std::unique_ptr<Dataset> open_class_folders(const std::filesystem::path& root, const std::filesystem::path& folder,
                                            const ClassNames& names);
// Opens the images that a list labels, from all its splits (see read_labelled_folder), sorted by path.
AllImages open_labelled(const Source& source, const ClassNames& names);
std::unique_ptr<Dataset> open_shards(const std::filesystem::path& root,
                                     const std::vector<std::filesystem::path>& shards, const ClassNames& names);
std::unique_ptr<Dataset> open_cifar(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                                    const ClassNames& names);

inline constexpr std::int64_t kMaxImageBytes = std::int64_t{1} << 28;  // per image; the largest photos have 2^27

// Reads `size` bytes at `offset`; a negative size means the rest of the file. Throws Error(input) if the file is
// missing or too short, or if the size is above kMaxImageBytes; the message does not contain the path.
std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::int64_t offset = 0, std::int64_t size = -1);

// Returns the regular files of `folder` for whose names `passes` is true, sorted. Returns none if the folder does not
// exist.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            const std::function<bool(const std::string&)>& passes);
// Returns the names of class folders. Throws Error(input) for a name that a model cannot store (check_class_names).
std::vector<std::string> folder_names(const std::vector<std::filesystem::path>& folders);

// Returns the name that a split has on disk (see kPartNames), or its first name if the split does not exist. Throws
// Error(input) if the split exists under two names.
std::string split_name(const std::filesystem::path& folder, Part part);

// Throws Error(input) for a set that cannot be used: if it has no images, or fewer than two classes. `source` is its
// file or folder, for messages. If `training` is true, at least two classes must have images.
void check_classes(const Dataset& set, std::string_view source, bool training);
// Throws Error(input) if a class folder of `folder` has no images, because this usually means that a copy has failed.
// The classes of `set` are the names of the folders.
void check_empty_folders(const Dataset& set, const std::filesystem::path& folder);

// Returns the path of an image relative to DIR, or the absolute path if there is no relative one.
std::string relative_name(const std::filesystem::path& root, const std::filesystem::path& path);
// The part with this name (kPartNames), in any letter case. Throws Error(input) with the position `where`.
Part part_named(std::string_view name, std::string_view where);
// Converts "17" to 17. Returns an empty optional unless the text is 1 to 9 digits.
std::optional<std::int64_t> class_number(std::string_view text);

}  // namespace effnet::data
