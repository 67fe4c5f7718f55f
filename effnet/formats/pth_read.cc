#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/file_kind.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/pth_state.h"
#include "effnet/formats/weights_format.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {
namespace {

std::string_view text_of(const ZipEntry& entry) {
  std::string_view text{reinterpret_cast<const char*>(entry.bytes.data()),
                        std::min<std::size_t>(entry.bytes.size(), 16)};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

tensor::Weights parse_zip_container(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  constexpr std::string_view kPickle = "data.pkl";
  ZipContents zip = read_zip(bytes, owner);
  std::optional<std::string> root;  // the archive's top folder, with the final slash
  for (const auto& [entry_name, entry] : zip.entries) {
    if (entry_name != kPickle && !entry_name.ends_with("/data.pkl")) continue;
    if (root) throw input_error("more than one data.pkl in this ZIP archive");
    root = entry_name.substr(0, entry_name.size() - kPickle.size());
  }
  if (!root) {
    const std::string first = zip.entries.empty() ? "nothing" : in_quotes(zip.entries.begin()->first);
    throw input_error("a ZIP archive that torch.save did not write (got {} in it, expected data.pkl)", first)
        .with_hint("if the archive contains a weights file, unpack it first");
  }
  const auto find = [&](std::string_view word) {
    const auto found = zip.entries.find(*root + std::string(word));
    return found == zip.entries.end() ? nullptr : &found->second;
  };
  if (find("constants.pkl") != nullptr) {
    throw input_error("a TorchScript program (expected a state dict)").with_hint(kSaveStateDict);
  }
  if (const ZipEntry* order = find("byteorder"); order != nullptr && text_of(*order) != "little") {
    throw input_error("unsupported byte order (got {}, expected 'little')", in_quotes(text_of(*order)));
  }
  if (const ZipEntry* version = find("version")) {
    constexpr std::array<std::string_view, 10> kVersions{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    if (std::find(kVersions.begin(), kVersions.end(), text_of(*version)) == kVersions.end()) {
      throw input_error("unknown format version (got {}, expected 1 to 10)", in_quotes(text_of(*version)));
    }
  }

  const Pickle pickle = parse_torch_pickle(find(kPickle)->bytes);
  Storages storages;
  storages.copy_budget = 2 * (bytes.size() + zip.copied_bytes) + kFreeCopies;
  const std::string folder = *root + "data/";
  for (auto at = zip.entries.lower_bound(folder); at != zip.entries.end() && at->first.starts_with(folder); ++at) {
    storages.by_key.emplace(at->first.substr(folder.size()), at->second);
  }
  return weights_of(pickle, storages);
}

// ---- The container before torch 1.6: five pickles (magic number, protocol, system, object, storage keys), then for
// each storage an int64 element count and the elements.

// torch's magic number 119547037146038801333356 in little-endian bytes.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocol = 1001;

tensor::Weights parse_legacy_container(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  std::span<const std::byte> rest = bytes;
  const auto next = [&rest] {
    Pickle pickle = parse_torch_pickle(rest);
    rest = rest.subspan(pickle.consumed);
    return pickle;
  };
  if (const Pickle magic = next();
      !magic[magic.root].is(PickleKind::big_integer) || magic[magic.root].raw() != kMagic) {
    throw input_error("a Python pickle that torch.save did not write (its magic number is missing)");
  }
  if (const Pickle protocol = next(); protocol[protocol.root].integer() != kProtocol) {
    throw input_error("unknown version of torch's legacy format (got {}, expected {})",
                      protocol[protocol.root].integer(), kProtocol);
  }
  {
    const Pickle system = next();
    const PickleValue* little = system.find(system[system.root], "little_endian");
    if (little == nullptr || little->integer() != 1) throw input_error("big-endian data (expected little-endian)");
  }
  const Pickle object = next();
  const Pickle keys = next();
  const auto sizes = element_sizes(object);

  Storages storages;
  storages.copy_budget = 2 * std::uint64_t{bytes.size()} + kFreeCopies;
  for (const PickleIndex index : keys[keys.root].items()) {
    const std::string_view key = keys[index].text();
    const auto size = sizes.find(key);
    if (size == sizes.end()) throw input_error("storage {}: no tensor uses it", in_quotes(key));
    std::uint64_t count = 0;
    if (rest.size() < sizeof(count)) {
      throw input_error("storage {} is missing: the file ends early", in_quotes(key)).with_hint(kIncompleteHint);
    }
    std::memcpy(&count, rest.data(), sizeof(count));
    rest = rest.subspan(sizeof(count));
    if (count > rest.size() / size->second) {
      throw input_error("storage {} is too long (got {} elements of {} bytes, expected at most {} bytes)",
                        in_quotes(key), count, size->second, rest.size())
          .with_hint(kIncompleteHint);
    }
    const auto data = rest.first(count * size->second);
    rest = rest.subspan(data.size());
    if (!storages.by_key.emplace(key, ZipEntry{data, owner}).second) {
      throw input_error("storage {} occurs twice", in_quotes(key));
    }
  }
  return weights_of(object, storages);
}

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

bool looks_like_zip(std::span<const std::byte> bytes) noexcept {
  return starts_with(bytes, "PK\x03\x04") || starts_with(bytes, "PK\x05\x06");
}

bool looks_like_pickle(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x80} && bytes[1] <= std::byte{5};
}

}  // namespace

tensor::Weights parse_pth(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  if (looks_like_zip(bytes)) return parse_zip_container(bytes, owner);
  if (looks_like_pickle(bytes)) return parse_legacy_container(bytes, owner);
  if (bytes.size() > 262 && starts_with(bytes.subspan(257), "ustar")) {
    throw input_error("a tar file of torch 0.1, which is not supported")
        .with_hint("load the file in PyTorch and save it again");
  }
  if (find_file_kind(bytes)) throw not_weights(bytes);
  throw input_error("not a .pth file (expected a ZIP archive or a pickle that torch.save wrote)");
}

extern constinit const WeightsFormat kPthFormat{
    .name = "pth", .title = "a .pth of torch.save", .extension = {}, .matches = looks_like_zip, .parse = parse_pth};
extern constinit const WeightsFormat kLegacyPthFormat{.name = "pth-legacy",
                                                      .title = "a .pth of torch.save",
                                                      .extension = {},
                                                      .matches = looks_like_pickle,
                                                      .parse = parse_pth};

tensor::Weights read_pth(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  try {
    return parse_pth(file->bytes(), file);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

}  // namespace effnet::formats
