#include "effnet/transfer/known_images.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/formats/safetensors.h"

namespace effnet::transfer {
namespace {

using data::ImageContent;
using data::Part;
using tensor::Dtype;

constexpr auto kThumbnailBytes = static_cast<std::int64_t>(std::tuple_size_v<decltype(ImageContent::thumbnail)>);

template <class Row>
tensor::Tensor tensor_of(Dtype dtype, const tensor::Dims& dims, std::vector<Row> rows) {
  const auto owner = std::make_shared<const std::vector<Row>>(std::move(rows));
  return {.dtype = dtype, .dims = dims, .bytes = std::as_bytes(std::span(*owner)), .owner = owner};
}

// The rows of a tensor with these dimensions.
template <class Row>
std::vector<Row> rows_of(const tensor::Weights& weights, const char* name, Dtype dtype, const tensor::Dims& dims) {
  const tensor::Tensor& tensor = weights.at(name);
  if (tensor.dtype != dtype || tensor.dims != dims)
    throw input_error("{}: wrong tensor (got {} {}, expected {} {})", name, tensor::name(tensor.dtype),
                      tensor::to_string(tensor.dims), tensor::name(dtype), tensor::to_string(dims));
  std::vector<Row> rows(static_cast<std::size_t>(dims[0]));
  if (!rows.empty()) std::memcpy(rows.data(), tensor.bytes.data(), tensor.bytes.size());
  return rows;
}

// The part of an image that several runs or files have: train before val before test, so that an image that was used
// once counts as used.
Part joined(std::optional<Part> one, Part other) { return one ? std::min(*one, other) : other; }

}  // namespace

KnownImages used_by(const KnownImages& known, bool test_too) {
  KnownImages used;
  for (std::size_t i = 0; i < known.contents.size(); ++i) {
    if (known.parts[i] != Part::test || test_too) used.contents.push_back(known.contents[i]);
  }
  used.parts.assign(used.contents.size(), Part::train);
  return used;
}

KnownImages with_earlier(KnownImages own, const KnownImages& earlier) {
  std::set<std::pair<ImageContent::Digest, Part>> present;
  for (std::size_t i = 0; i < own.contents.size(); ++i) {
    if (own.contents[i].why.empty()) present.emplace(own.contents[i].digest, own.parts[i]);
  }
  for (std::size_t i = 0; i < earlier.contents.size(); ++i) {
    if (!present.emplace(earlier.contents[i].digest, earlier.parts[i]).second) continue;
    own.contents.push_back(earlier.contents[i]);
    own.parts.push_back(earlier.parts[i]);
  }
  return own;
}

void write_known_images(const std::filesystem::path& file, const std::vector<ImageContent>& contents,
                        const std::vector<Part>& parts) {
  EFFNET_CHECK(contents.size() == parts.size());
  std::vector<decltype(ImageContent::digest)> digests;
  std::vector<decltype(ImageContent::hash)> hashes;
  std::vector<decltype(ImageContent::thumbnail)> thumbnails;
  std::vector<std::uint8_t> part_numbers;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (!contents[i].why.empty()) continue;
    digests.push_back(contents[i].digest);
    hashes.push_back(contents[i].hash);
    thumbnails.push_back(contents[i].thumbnail);
    part_numbers.push_back(static_cast<std::uint8_t>(parts[i]));
  }
  const auto n = static_cast<std::int64_t>(digests.size());
  tensor::Weights weights;
  weights.tensors["digest"] = tensor_of(Dtype::i64, {n, 2}, std::move(digests));
  weights.tensors["hash"] = tensor_of(Dtype::i64, {n, 2}, std::move(hashes));
  weights.tensors["thumbnail"] = tensor_of(Dtype::u8, {n, kThumbnailBytes}, std::move(thumbnails));
  weights.tensors["part"] = tensor_of(Dtype::u8, {n}, std::move(part_numbers));
  formats::write_safetensors(file, weights);
}

KnownImages read_known_images(const std::filesystem::path& file) {
  try {
    const tensor::Weights weights = formats::read_safetensors(file);
    const tensor::Dims& dims = weights.at("part").dims;
    const std::int64_t n = dims.empty() ? 0 : dims[0];
    const auto digests = rows_of<decltype(ImageContent::digest)>(weights, "digest", Dtype::i64, {n, 2});
    const auto hashes = rows_of<decltype(ImageContent::hash)>(weights, "hash", Dtype::i64, {n, 2});
    const auto thumbnails =
        rows_of<decltype(ImageContent::thumbnail)>(weights, "thumbnail", Dtype::u8, {n, kThumbnailBytes});
    KnownImages known;
    for (const std::uint8_t part : rows_of<std::uint8_t>(weights, "part", Dtype::u8, {n})) {
      const std::size_t i = known.contents.size();
      if (part >= data::kParts.size())
        throw input_error("part: wrong value (got {}, expected 0 to {})", part, data::kParts.size() - 1);
      known.parts.push_back(data::kParts[part]);
      ImageContent content;
      content.digest = digests[i];
      content.hash = hashes[i];
      content.thumbnail = thumbnails[i];
      known.contents.push_back(std::move(content));
    }
    return known;
  } catch (const Error& error) {
    throw error.in(file.string());
  }
}

data::ImageGroups groups_with(const std::vector<ImageContent>& contents, const KnownImages& known) {
  std::vector<ImageContent> both = contents;
  both.insert(both.end(), known.contents.begin(), known.contents.end());
  return data::near_duplicates(both);
}

KeptParts keep_parts(const std::vector<ImageContent>& contents, const KnownImages& known,
                     const data::ImageGroups& groups, const std::vector<bool>& chosen, std::vector<Part>& parts) {
  const std::size_t n = contents.size();
  std::map<ImageContent::Digest, std::optional<Part>> of_digest;
  for (std::size_t i = 0; i < known.contents.size(); ++i) {
    std::optional<Part>& part = of_digest[known.contents[i].digest];
    part = joined(part, known.parts[i]);
  }
  std::vector<std::optional<Part>> found(n);
  for (const std::vector<std::int64_t>& group : groups) {
    std::optional<Part> part;
    for (const std::int64_t i : group) {
      const auto at = static_cast<std::size_t>(i);
      if (at >= n) part = joined(part, known.parts[at - n]);
    }
    for (const std::int64_t i : group) {
      if (static_cast<std::size_t>(i) < n) found[static_cast<std::size_t>(i)] = part;
    }
  }
  KeptParts kept;
  for (std::size_t i = 0; i < n; ++i) {
    if (!contents[i].why.empty()) continue;
    if (const auto same = of_digest.find(contents[i].digest); same != of_digest.end()) found[i] = same->second;
    if (!found[i]) continue;
    ++kept.known;
    if (chosen[i]) parts[i] = *found[i];
    kept.seen_val += parts[i] == Part::val && *found[i] == Part::train;
    kept.seen_test += parts[i] == Part::test && *found[i] == Part::train;
    kept.used_test += parts[i] == Part::test && *found[i] != Part::test;
  }
  return kept;
}

std::int64_t used_images(const std::vector<ImageContent>& contents, const KnownImages& known, bool test_too) {
  std::vector<Part> parts(contents.size(), Part::test);  // an image that is not known stays test
  const KeptParts kept =
      keep_parts(contents, known, groups_with(contents, known), std::vector<bool>(contents.size(), true), parts);
  return test_too ? kept.known : std::ssize(parts) - std::ranges::count(parts, Part::test);
}

}  // namespace effnet::transfer
