#include "effnet/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/file_kind.h"
#include "effnet/formats/weights_format.h"

namespace effnet::formats {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000;            // the official readers' limit
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 62;  // largest offset: sums of two offsets do not overflow
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxDims = 64;
constexpr std::string_view kMetadata = "__metadata__";

struct Entry {
  std::string name;
  std::string dtype;
  tensor::Dims dims;
  std::vector<std::uint64_t> offsets;
  bool has_dtype = false;
  bool has_dims = false;
  bool has_offsets = false;
};

// Receives the JSON events of the header. The first invalid event ends the parse, so a hostile header of great depth or
// size is never stored. level_ is 1 inside the header's object, 2 inside the object of a tensor or of the metadata, and
// 3 inside a shape or data_offsets.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string, std::less<>> metadata;

  std::uint64_t data_end() const {
    std::uint64_t end = 0;
    for (const Entry& entry : entries) end = std::max(end, entry.offsets[1]);
    return end;
  }

  bool null() override {  // some writers write null if there is no metadata
    if (level_ != 1 || name_ != kMetadata) throw unexpected("null");
    if (std::exchange(has_metadata_, true)) throw duplicate(kMetadata);
    return true;
  }
  bool boolean(bool /*value*/) override { throw unexpected("a boolean"); }
  bool number_float(double /*value*/, const std::string& /*text*/) override { throw unexpected("a fraction"); }
  bool binary(binary_t& /*value*/) override { throw unexpected("binary data"); }

  bool number_integer(std::int64_t value) override {
    if (level_ == 3) throw input_error("{}: negative number in {} (got {})", place(), in_quotes(field_), value);
    throw unexpected("a number");
  }

  bool number_unsigned(std::uint64_t value) override {
    if (level_ != 3) throw unexpected("a number");
    Entry& entry = entries.back();
    if (field_ == "shape") {
      constexpr std::uint64_t kMax = std::uint64_t{1} << 62;
      if (value > kMax) throw input_error("{}: dimension too large (got {}, expected at most 2^62)", place(), value);
      if (entry.dims.size() == kMaxDims) throw input_error("{}: more than {} dimensions", place(), kMaxDims);
      entry.dims.push_back(static_cast<std::int64_t>(value));
    } else {
      if (entry.offsets.size() == 2) throw input_error("{}: more than two data_offsets", place());
      entry.offsets.push_back(value);
    }
    return true;
  }

  bool string(std::string& value) override {
    if (level_ == 2 && in_metadata_) {
      if (!metadata.emplace(field_, std::move(value)).second) throw duplicate(field_);
    } else if (level_ == 2 && field_ == "dtype") {
      entries.back().dtype = std::move(value);
      mark_seen(entries.back().has_dtype);
    } else {
      throw unexpected("a text");
    }
    return true;
  }

  bool start_object(std::size_t /*size*/) override {
    if (level_ >= 2) throw unexpected("an object");
    ++level_;
    if (level_ == 1) return true;
    in_metadata_ = name_ == kMetadata;
    if (in_metadata_) {
      if (std::exchange(has_metadata_, true)) throw duplicate(kMetadata);
    } else {
      entries.emplace_back().name = name_;
    }
    return true;
  }

  bool key(std::string& value) override {
    (level_ == 1 ? name_ : field_) = std::move(value);
    if (level_ == 2 && !in_metadata_ && field_ != "dtype" && field_ != "shape" && field_ != "data_offsets") {
      throw input_error("{}: unknown field {} (expected dtype, shape, data_offsets)", place(), in_quotes(field_));
    }
    return true;
  }

  bool end_object() override {
    --level_;
    if (level_ == 0 || in_metadata_) return true;
    const Entry& entry = entries.back();
    if (!entry.has_dtype || !entry.has_dims || entry.offsets.size() != 2) {
      throw input_error("{}: incomplete entry (expected dtype, shape and two data_offsets)", place());
    }
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    if (level_ != 2 || in_metadata_ || (field_ != "shape" && field_ != "data_offsets")) throw unexpected("an array");
    ++level_;
    mark_seen(field_ == "shape" ? entries.back().has_dims : entries.back().has_offsets);
    return true;
  }
  bool end_array() override {
    --level_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*last*/,
                   const nlohmann::json::exception& /*why*/) override {
    throw input_error("header is not valid JSON (at byte {})", kLengthBytes + position);
  }

 private:
  std::string place() const { return level_ <= 1 ? std::string("header") : fmt::format("tensor {}", in_quotes(name_)); }
  Error unexpected(std::string_view what) const {
    return input_error("{}: wrong value in the header (got {}, expected entries of dtype, shape and data_offsets)",
                       place(), what);
  }
  static Error duplicate(std::string_view what) {
    return input_error("{} occurs twice in the header", in_quotes(what));
  }
  void mark_seen(bool& seen) const {
    if (std::exchange(seen, true)) throw duplicate(field_);
  }

  int level_ = 0;
  bool in_metadata_ = false;
  bool has_metadata_ = false;
  std::string name_;
  std::string field_;
};

std::string unsupported(std::string_view dtype) {
  std::vector<std::string> known;
  for (const tensor::DtypeInfo& one : tensor::dtypes()) known.emplace_back(one.safetensors);
  return fmt::format("unsupported dtype (got {}, expected {})", in_quotes(dtype), one_of(known));
}

Error cut_off(std::uint64_t got, std::uint64_t after_length) {
  return input_error("the file ends early (got {} bytes, expected at least {})", got, kLengthBytes + after_length)
      .with_hint(kIncompleteHint);
}

std::uint64_t read_length(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    if (find_file_kind(bytes)) throw not_weights(bytes);
    throw input_error("too short for safetensors (got {} bytes, expected at least {})", bytes.size(), kLengthBytes);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  const std::uint64_t room = bytes.size() - kLengthBytes;
  const std::uint64_t most = std::min(room, kMaxHeader);
  if (length <= most) return length;
  if (find_file_kind(bytes)) throw not_weights(bytes);
  if (length <= kMaxHeader && room > 0 && bytes[kLengthBytes] == std::byte{'{'}) throw cut_off(bytes.size(), length);
  throw input_error("header length out of range (got {}, expected at most {})", length, most);
}

// In safetensors, bytes 4 to 7 are the upper half of the header length and are zero; in a torch pickle they are part of
// the magic number. In safetensors, byte 8 is '{' (123); in a ZIP archive it is the compression method, which is never
// 123.
bool looks_like_safetensors(std::span<const std::byte> bytes) noexcept {
  return bytes.size() > 8 && bytes[8] == std::byte{'{'} &&
         std::all_of(bytes.begin() + 4, bytes.begin() + 8, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

tensor::Weights parse_safetensors(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  const std::uint64_t length = read_length(bytes);
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
  if ((length == 0 || *text != '{') && find_file_kind(bytes)) throw not_weights(bytes);
  if (length == 0 || *text != '{') throw input_error("header is not a JSON object (expected {{ as its first byte)");
  HeaderReader header;
  nlohmann::json::sax_parse(text, text + length, &header);
  const auto data = bytes.subspan(kLengthBytes + length);

  // Sorts by position, because in a valid file each tensor begins where the previous one ends. Of the tensors at one
  // position, the empty ones come first.
  std::sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.offsets[0], a.offsets[1], a.name) < std::tie(b.offsets[0], b.offsets[1], b.name);
  });
  tensor::Weights weights;
  weights.metadata = std::move(header.metadata);
  std::uint64_t expected = 0;
  for (Entry& entry : header.entries) {
    const std::optional<tensor::Dtype> dtype = tensor::find_dtype(&tensor::DtypeInfo::safetensors, entry.dtype);
    const std::uint64_t begin = entry.offsets[0];
    const std::uint64_t end = entry.offsets[1];
    if (begin > end || end > kMaxBytes) {
      throw input_error("tensor {}: data_offsets out of range (got {} to {}, expected within {} bytes)",
                        in_quotes(entry.name), begin, end, data.size());
    }
    if (end > data.size()) throw cut_off(bytes.size(), length + header.data_end());
    if (begin != expected) {
      throw input_error("tensor {}: data {} the previous tensor (begins at {}, expected {})", in_quotes(entry.name),
                        begin < expected ? "overlaps" : "leaves a gap after", begin, expected);
    }
    expected = end;
    if (!dtype) {  // becomes an error only if the network needs the tensor; the size of the data cannot be checked
      if (!weights.unreadable.emplace(entry.name, unsupported(entry.dtype)).second) {
        throw input_error("tensor {} occurs twice", in_quotes(entry.name));
      }
      continue;
    }
    const auto count = static_cast<std::uint64_t>(tensor::numel(entry.dims));
    if (end - begin != count * tensor::size_bytes(*dtype)) {
      throw input_error("tensor {}: data does not fit the shape (got {} bytes, expected {} for {} of {})",
                        in_quotes(entry.name), end - begin, count * tensor::size_bytes(*dtype),
                        tensor::to_string(entry.dims), name(*dtype));
    }
    tensor::Tensor tensor{*dtype, std::move(entry.dims), data.subspan(begin, end - begin), owner};
    if (weights.unreadable.contains(entry.name) || !weights.tensors.emplace(entry.name, std::move(tensor)).second) {
      throw input_error("tensor {} occurs twice", in_quotes(entry.name));
    }
  }
  if (expected != data.size()) {
    throw input_error("{} bytes after the last tensor (expected 0)", data.size() - expected);
  }
  return weights;
}

extern constinit const WeightsFormat kSafetensorsFormat{.name = "safetensors",
                                                        .title = "safetensors",
                                                        .extension = ".safetensors",
                                                        .matches = looks_like_safetensors,
                                                        .parse = parse_safetensors};

tensor::Weights read_safetensors(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  try {
    return parse_safetensors(file->bytes(), file);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

void write_safetensors(const std::filesystem::path& path, const tensor::Weights& weights) {
  std::vector<std::pair<std::string_view, const tensor::Tensor*>> order;
  for (const auto& [tensor_name, tensor] : weights.tensors) {
    EFFNET_CHECK(tensor.bytes.size() ==
                 static_cast<std::uint64_t>(tensor::numel(tensor.dims)) * tensor::size_bytes(tensor.dtype));
    if (tensor_name == kMetadata) throw input_error("a tensor cannot be named {}", kMetadata);
    order.emplace_back(tensor_name, &tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return tensor::size_bytes(a.second->dtype) > tensor::size_bytes(b.second->dtype);
  });

  std::string header;
  try {
    if (!weights.metadata.empty()) header += fmt::format(",\"{}\":{}", kMetadata, Json(weights.metadata).dump());
    std::uint64_t at = 0;
    for (const auto& [tensor_name, tensor] : order) {
      const std::uint64_t end = at + tensor->bytes.size();
      header += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", Json(tensor_name).dump(),
                            tensor::info(tensor->dtype).safetensors, fmt::join(tensor->dims, ","), at, end);
      at = end;
    }
  } catch (const nlohmann::json::exception&) {
    throw input_error("{}: a tensor name or a metadata text is not UTF-8", path.string());
  }
  header = "{" + (header.empty() ? header : header.substr(1)) + "}";
  const std::size_t used = kLengthBytes + header.size();
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  if (header.size() > kMaxHeader) throw input_error("{}: the header would exceed {} bytes", path.string(), kMaxHeader);

  std::array<std::byte, kLengthBytes> length{};
  const std::uint64_t header_size = header.size();
  std::memcpy(length.data(), &header_size, sizeof(header_size));
  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (const auto& [tensor_name, tensor] : order) file.write(tensor->bytes);
  file.commit();
}

}  // namespace effnet::formats
