// The kinds of sets behind dataset.h, one file each, and what they share. Not for use outside of effnet/data.
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

// `root` is DIR: names of images are relative to it. `names` without classes: the set's own.
std::unique_ptr<Dataset> open_class_folders(const std::filesystem::path& root, const std::filesystem::path& folder,
                                            const ClassNames& names);
std::unique_ptr<Dataset> open_shards(const std::filesystem::path& root,
                                     const std::vector<std::filesystem::path>& shards, const ClassNames& names);
std::unique_ptr<Dataset> open_cifar(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                                    const ClassNames& names);

inline constexpr std::int64_t kMaxImageBytes = std::int64_t{1} << 28;  // a file; the largest photographs have 2^27

// `size` bytes at `offset`; a size below 0 is the rest of the file. Throws Error(input) without the path for a file
// that is missing, too short or above kMaxImageBytes.
std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::int64_t offset = 0, std::int64_t size = -1);

// Regular files of `folder` whose names pass, sorted; none if there is no such folder.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            const std::function<bool(const std::string&)>& passes);
// The names of class folders, each fit to be a class of a model (check_class_names).
std::vector<std::string> folder_names(const std::vector<std::filesystem::path>& folders);

// Where a split lies, by the name that it has there ("valid" or "validation" for val); `split` if it is nowhere.
// Throws Error(input) if it is there under two names.
std::string split_name(const std::filesystem::path& folder, std::string_view split);

std::string relative_name(const std::filesystem::path& root, const std::filesystem::path& path);
// "17" -> 17; at most 9 digits and nothing else.
std::optional<std::int64_t> class_number(std::string_view text);

}  // namespace effnet::data
