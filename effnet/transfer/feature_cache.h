// A cache of embeddings on disk. An embedding depends on the network, its weights, the preprocessing and the image's
// content only, so it never has to be computed twice.
//
// One file for each key, called effnet-<digest of the key>.features: a header of 64 bytes (the magic "effnetFT", the
// digest in 32 hex digits, zeros), then one record for each image: the image's digest (32 hex digits), `width` float32
// values in the machine's byte order, and the record's digest (32 hex digits). New records are appended. A file is not
// trusted: a record counts only if its digest is right. An incomplete record at the end is cut off by the next append.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "effnet/base/file.h"

namespace effnet::transfer {

// Several threads and processes may use the same folder at the same time.
class FeatureCache {
 public:
  static constexpr std::uintmax_t kLimitBytes = std::uintmax_t{2} << 30;

  // Reads the list of the stored images. `folder` is created at the first store(). `key` is a text that contains
  // everything that the values depend on, except the image; `width` is the number of values of an embedding. A missing,
  // foreign or unreadable file counts as empty.
  FeatureCache(const std::filesystem::path& folder, std::string_view key, std::int64_t width,
               std::uintmax_t limit_bytes = kLimitBytes);

  const std::filesystem::path& path() const { return path_; }
  // Copies the embedding of the image with this digest to `values` (`width` values). Returns false if the file has none
  // or a damaged one. Thread-safe.
  bool find(const std::string& image, std::span<float> values) const;

  struct Entry {
    std::string image;              // the image's digest, 32 hex digits
    std::span<const float> values;  // `width` values
  };
  // Appends these embeddings. Returns false and sets `why` if they cannot be written, or if the file would exceed the
  // limit; this is not an error, because the cache is optional. Then removes the least recently used files of the
  // folder beyond the limit. find() does not see the new records. Throws Error(interrupted) after Ctrl-C.
  bool store(std::span<const Entry> entries, std::string& why) const;

 private:
  std::size_t record_bytes() const;
  std::string record_digest(std::string_view image, std::span<const std::byte> values) const;
  void read_index();
  void append(const std::vector<std::byte>& records) const;

  std::filesystem::path path_;
  std::string digest_;  // of the key
  std::int64_t width_;
  std::uintmax_t limit_bytes_;
  std::unique_ptr<OpenFile> file_;                       // null: there is no file yet
  std::unordered_map<std::string, std::int64_t> index_;  // the image's digest -> number of the record
};

}  // namespace effnet::transfer
