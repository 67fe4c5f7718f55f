#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/formats/pickle.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {
namespace {

constexpr NameTable<Dtype, 10> kStorages{{{Dtype::f64, "torch.DoubleStorage"},
                                          {Dtype::f32, "torch.FloatStorage"},
                                          {Dtype::f16, "torch.HalfStorage"},
                                          {Dtype::bf16, "torch.BFloat16Storage"},
                                          {Dtype::i64, "torch.LongStorage"},
                                          {Dtype::i32, "torch.IntStorage"},
                                          {Dtype::i16, "torch.ShortStorage"},
                                          {Dtype::i8, "torch.CharStorage"},
                                          {Dtype::u8, "torch.ByteStorage"},
                                          {Dtype::boolean, "torch.BoolStorage"}}};
constexpr NameTable<Dtype, 10> kDtypes{{{Dtype::f64, "torch.float64"},
                                        {Dtype::f32, "torch.float32"},
                                        {Dtype::f16, "torch.float16"},
                                        {Dtype::bf16, "torch.bfloat16"},
                                        {Dtype::i64, "torch.int64"},
                                        {Dtype::i32, "torch.int32"},
                                        {Dtype::i16, "torch.int16"},
                                        {Dtype::i8, "torch.int8"},
                                        {Dtype::u8, "torch.uint8"},
                                        {Dtype::boolean, "torch.bool"}}};
// Storages of bytes, whose tensors say their dtype themselves (_rebuild_tensor_v3).
constexpr std::array<std::string_view, 4> kUntypedStorages{"torch.UntypedStorage", "torch.storage.UntypedStorage",
                                                           "torch.storage._UntypedStorage", "torch._UntypedStorage"};

// Every name that a pickle may mention: the two tables above and these. None of them is ever called.
constexpr std::array<std::string_view, 17> kOtherGlobals{
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.device",
    "torch.storage.TypedStorage",
    "torch.storage._TypedStorage",
    "torch.storage._load_from_bytes",
    "torch.serialization._get_layout",
    "collections.defaultdict",
    "argparse.Namespace",  // training scripts put their flags beside the state dict
};

const std::vector<std::string_view>& allowed_globals() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all(kOtherGlobals.begin(), kOtherGlobals.end());
    all.insert(all.end(), kUntypedStorages.begin(), kUntypedStorages.end());
    for (const auto& [dtype, text] : kStorages) all.push_back(text);
    for (const auto& [dtype, text] : kDtypes) all.push_back(text);
    return all;
  }();
  return names;
}

constexpr std::array<std::string_view, 5> kStateDicts{"state_dict_ema", "model_ema", "state_dict", "model",
                                                      "model_state_dict"};
constexpr std::array<std::string_view, 2> kPrefixes{"module.", "_orig_mod."};
constexpr std::size_t kMostDims = 64;  // torch's own limit
constexpr std::string_view kSaveStateDict = "save the state dict alone: torch.save(model.state_dict(), path)";

template <std::size_t kCount>
std::optional<Dtype> dtype_in(const NameTable<Dtype, kCount>& table, std::string_view word) {
  for (const auto& [dtype, text] : table) {
    if (text == word) return dtype;
  }
  return std::nullopt;
}

Pickle parse_torch_pickle(std::span<const std::byte> bytes) {
  try {
    return parse_pickle(bytes, allowed_globals());
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with("refuses")) throw error.with_hint(std::string(kSaveStateDict));
    throw;
  }
}

// Raw storages by key, and how much row-major copying of strided tensors is allowed in all.
struct Storages {
  std::map<std::string, ZipEntry, std::less<>> by_key;
  std::uint64_t copy_budget = 0;
};

// What a persistent id says: ('storage', type, key, location, element count[, (view key, offset, element count)]).
struct StorageId {
  std::optional<Dtype> dtype;  // none: a storage of bytes
  std::string_view key;
  std::uint64_t count = 0;   // elements in the whole storage
  std::uint64_t offset = 0;  // elements: a legacy storage may itself be a window of another one
  std::uint64_t window = 0;

  std::size_t element_bytes() const { return dtype ? size_bytes(*dtype) : 1; }
};

std::uint64_t count_of(const PickleValue& value, std::string_view what) {
  const std::int64_t count = value.integer();
  if (count < 0) throw input_error("negative {} (got {}, expected 0 or more)", what, count);
  return static_cast<std::uint64_t>(count);
}

StorageId storage_id(const Pickle& pickle, const PickleValue& persistent) {
  if (!persistent.is(PickleKind::persistent)) throw input_error("a tensor without a storage");
  const PickleValue& id = pickle.item(persistent, 0);
  if (!id.is(PickleKind::tuple) || pickle.item(id, 0).text() != "storage") {
    throw input_error("unknown persistent id (expected a storage)");
  }
  const std::string_view type = pickle.item(id, 1).raw();
  StorageId storage;
  storage.dtype = dtype_in(kStorages, type);
  if (!storage.dtype && std::find(kUntypedStorages.begin(), kUntypedStorages.end(), type) == kUntypedStorages.end()) {
    throw input_error("unknown storage type (got {})", in_quotes(type));
  }
  storage.key = pickle.item(id, 2).text();
  storage.count = storage.window = count_of(pickle.item(id, 4), "storage size");
  if (id.items().size() > 5 && !pickle.item(id, 5).is(PickleKind::none)) {
    const PickleValue& view = pickle.item(id, 5);
    storage.offset = count_of(pickle.item(view, 1), "storage offset");
    storage.window = count_of(pickle.item(view, 2), "storage size");
    if (storage.offset > storage.count || storage.window > storage.count - storage.offset) {
      throw input_error("storage {}: a window leaves it", in_quotes(storage.key));
    }
  }
  return storage;
}

Dims dims_of(const Pickle& pickle, const PickleValue& list, std::string_view what) {
  // torch.Size(...) is a call with one tuple.
  const PickleValue& items = list.is(PickleKind::object) ? pickle.item(pickle.item(list, 1), 0) : list;
  if (!items.is(PickleKind::tuple) && !items.is(PickleKind::list)) throw input_error("{} is not a tuple", what);
  if (items.items().size() > kMostDims) {
    throw input_error("{} too long (got {}, expected at most {})", what, items.items().size(), kMostDims);
  }
  Dims dims;
  for (const PickleIndex index : items.items())
    dims.push_back(static_cast<std::int64_t>(count_of(pickle[index], what)));
  return dims;
}

bool row_major(const Dims& dims, const Dims& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1 && strides[i] != expected) return false;
    expected *= dims[i];
  }
  return true;
}

// Elements of kBytes each, gathered into row-major order. Every index was checked against the source before.
template <std::size_t kBytes>
void gather(const std::byte* source, const Dims& dims, const Dims& strides, std::byte* target) {
  Dims at(dims.size(), 0);
  const std::size_t inner = dims.size() - 1;
  for (;;) {
    const std::byte* from = source;
    for (std::int64_t i = 0; i < dims[inner]; ++i) {
      std::memcpy(target, from, kBytes);
      target += kBytes;
      if (i + 1 < dims[inner]) from += strides[inner] * static_cast<std::int64_t>(kBytes);
    }
    std::size_t axis = inner;
    for (;;) {  // the next row, as an odometer
      if (axis == 0) return;
      --axis;
      if (++at[axis] < dims[axis]) break;
      source -= (dims[axis] - 1) * strides[axis] * static_cast<std::int64_t>(kBytes);
      at[axis] = 0;
    }
    source += strides[axis] * static_cast<std::int64_t>(kBytes);
  }
}

// The tensor that (storage, offset, dims, strides) describes.
Tensor view_of(const StorageId& id, const Dims& dims, const Dims& strides, std::uint64_t offset, Dtype dtype,
               Storages& storages) {
  const auto found = storages.by_key.find(id.key);
  if (found == storages.by_key.end()) throw input_error("storage {} is missing", in_quotes(id.key));
  const ZipEntry& storage = found->second;
  if (id.count > storage.bytes.size() / id.element_bytes()) {
    throw input_error("storage {} is too short (got {} bytes, expected {} elements of {})", in_quotes(id.key),
                      storage.bytes.size(), id.count, id.element_bytes());
  }
  const auto window = storage.bytes.subspan(id.offset * id.element_bytes(), id.window * id.element_bytes());
  const std::size_t element = size_bytes(dtype);
  const std::uint64_t available = window.size() / element;

  if (dims.size() != strides.size()) {
    throw input_error("{} strides for {} dimensions", strides.size(), dims.size());
  }
  const auto count = static_cast<std::uint64_t>(numel(dims));
  if (count == 0) return {dtype, dims, {}, storage.owner};
  if (count > available) {
    throw input_error("a view larger than its storage (got {}, expected at most {} elements)", to_string(dims),
                      available);
  }
  std::uint64_t last = offset;
  for (std::size_t i = 0; i < dims.size() && last < available; ++i) {
    const auto steps = static_cast<std::uint64_t>(dims[i] - 1);
    const auto stride = static_cast<std::uint64_t>(strides[i]);
    if (steps > 0 && stride > (available - last) / steps)
      last = available;
    else
      last += steps * stride;
  }
  if (last >= available) {
    throw input_error("a view leaves its storage (got shape {}, strides {}, offset {}, expected within {} elements)",
                      to_string(dims), to_string(strides), offset, available);
  }
  const std::span<const std::byte> from = window.subspan(offset * element);
  if (row_major(dims, strides)) return {dtype, dims, from.first(count * element), storage.owner};

  if (count * element > storages.copy_budget) {
    throw input_error("strided tensors would take more than twice the file's size");
  }
  storages.copy_budget -= count * element;
  Dims steps = strides;  // the stride of an axis of length 1 means nothing and may be anything
  for (std::size_t i = 0; i < dims.size(); ++i) steps[i] = dims[i] == 1 ? 0 : strides[i];
  auto held = std::make_shared<std::vector<std::byte>>(count * element);
  const auto run = element == 8 ? gather<8> : element == 4 ? gather<4> : element == 2 ? gather<2> : gather<1>;
  run(from.data(), dims, steps, held->data());
  return {dtype, dims, std::span<const std::byte>(*held), held};
}

bool is_call(const PickleValue& value) { return value.is(PickleKind::object); }

// The call that makes the tensor: its function and arguments, without the wrappers around it. Null if it is no tensor.
struct Call {
  std::string_view function;
  const PickleValue* arguments = nullptr;
};

Call tensor_call(const Pickle& pickle, const PickleValue& value) {
  const PickleValue* inner = &value;
  // A parameter of a tensor is all that torch writes; a longer chain is none of its making.
  for (int depth = 0; depth < 4 && is_call(*inner); ++depth) {
    const std::string_view function = pickle.item(*inner, 0).raw();
    const PickleValue& arguments = pickle.item(*inner, 1);
    if (function.starts_with("torch._utils._rebuild_tensor")) return {function, &arguments};
    if (function == "torch._tensor._rebuild_from_type_v2") {  // (function, type, arguments, attributes)
      const std::string_view wrapped = pickle.item(arguments, 0).raw();
      if (wrapped.starts_with("torch._utils._rebuild_tensor")) return {wrapped, &pickle.item(arguments, 2)};
      if (!wrapped.starts_with("torch._utils._rebuild_parameter")) return {};
      inner = &pickle.item(pickle.item(arguments, 2), 0);
    } else if (function.starts_with("torch._utils._rebuild_parameter")) {  // (tensor, requires_grad, hooks)
      inner = &pickle.item(arguments, 0);
    } else {
      return {};
    }
  }
  return {};
}

Tensor tensor_of(const Pickle& pickle, const Call& call, Storages& storages) {
  // (storage, offset, shape, strides, ...); v3 adds the dtype as the seventh.
  const PickleValue& arguments = *call.arguments;
  const StorageId id = storage_id(pickle, pickle.item(arguments, 0));
  std::optional<Dtype> dtype = id.dtype;
  if (call.function == "torch._utils._rebuild_tensor_v3") {
    dtype = dtype_in(kDtypes, pickle.item(arguments, 6).raw());
  }
  if (!dtype) throw input_error("a tensor without a known dtype");
  const std::uint64_t offset = count_of(pickle.item(arguments, 1), "storage offset");
  const Dims dims = dims_of(pickle, pickle.item(arguments, 2), "shape");
  const Dims strides = dims_of(pickle, pickle.item(arguments, 3), "strides");
  return view_of(id, dims, strides, offset, *dtype, storages);
}

bool has_tensors(const Pickle& pickle, const PickleValue& dict) {
  if (!dict.is(PickleKind::dict)) return false;
  const auto items = dict.items();
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (pickle[items[i]].is(PickleKind::text) && tensor_call(pickle, pickle[items[i + 1]]).arguments != nullptr) {
      return true;
    }
  }
  return false;
}

const PickleValue& state_dict_of(const Pickle& pickle) {
  const PickleValue& root = pickle[pickle.root];
  for (const std::string_view key : kStateDicts) {
    const PickleValue* inner = pickle.find(root, key);
    if (inner != nullptr && has_tensors(pickle, *inner)) return *inner;
  }
  if (has_tensors(pickle, root)) return root;
  std::vector<std::string> known(kStateDicts.begin(), kStateDicts.end());
  throw input_error("no state dict in this file (expected a dict of tensors, or one under {})", one_of(known))
      .with_hint(std::string(kSaveStateDict));
}

std::string_view without_prefixes(std::string_view key) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : kPrefixes) {
      if (!key.starts_with(prefix)) continue;
      key.remove_prefix(prefix.size());
      again = true;
    }
  }
  return key;
}

Weights weights_of(const Pickle& pickle, Storages& storages) {
  Weights weights;
  const auto items = state_dict_of(pickle).items();
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const PickleValue& key = pickle[items[i]];
    if (!key.is(PickleKind::text)) continue;
    const Call call = tensor_call(pickle, pickle[items[i + 1]]);
    if (call.arguments == nullptr) continue;
    const std::string_view tensor_name = without_prefixes(key.raw());
    if (weights.find(tensor_name) != nullptr) throw input_error("tensor {} is there twice", in_quotes(tensor_name));
    try {
      weights.tensors.emplace(tensor_name, tensor_of(pickle, call, storages));
    } catch (const Error& error) {
      throw error.in(fmt::format("tensor {}", in_quotes(tensor_name)));
    }
  }
  return weights;
}

std::string_view text_of(const ZipEntry& entry) {
  std::string_view text{reinterpret_cast<const char*>(entry.bytes.data()),
                        std::min<std::size_t>(entry.bytes.size(), 16)};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

Weights parse_zip_container(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  constexpr std::string_view kPickle = "data.pkl";
  ZipContents zip = read_zip(bytes, owner);
  std::optional<std::string> root;  // the archive's folder with its slash
  for (const auto& [entry_name, entry] : zip.entries) {
    if (entry_name != kPickle && !entry_name.ends_with("/data.pkl")) continue;
    if (root) throw input_error("more than one data.pkl in this ZIP archive");
    root = entry_name.substr(0, entry_name.size() - kPickle.size());
  }
  if (!root) throw input_error("a ZIP archive, but not one of torch.save (expected data.pkl in it)");
  const auto find = [&](std::string_view word) {
    const auto found = zip.entries.find(*root + std::string(word));
    return found == zip.entries.end() ? nullptr : &found->second;
  };
  if (find("constants.pkl") != nullptr) {
    throw input_error("a TorchScript program (expected a state dict)").with_hint(std::string(kSaveStateDict));
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
  storages.copy_budget = 2 * (bytes.size() + zip.copied_bytes);
  const std::string folder = *root + "data/";
  for (auto at = zip.entries.lower_bound(folder); at != zip.entries.end() && at->first.starts_with(folder); ++at) {
    storages.by_key.emplace(at->first.substr(folder.size()), at->second);
  }
  return weights_of(pickle, storages);
}

// ---- The container before torch 1.6: magic, protocol, system, object and storage keys as one pickle each, then per
// storage an int64 element count and the elements.

constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";  // 119547037146038801333356
constexpr std::int64_t kProtocol = 1001;

// Sizes of elements are known only from the tensors that use a storage.
std::map<std::string_view, std::size_t> element_sizes(const Pickle& pickle) {
  std::map<std::string_view, std::size_t> sizes;
  for (const PickleValue& value : pickle.values) {
    if (!value.is(PickleKind::persistent)) continue;
    const StorageId id = storage_id(pickle, value);
    const auto [known, fresh] = sizes.emplace(id.key, id.element_bytes());
    if (!fresh && known->second != id.element_bytes()) {
      throw input_error("storage {} is used with different element sizes", in_quotes(id.key));
    }
  }
  return sizes;
}

Weights parse_legacy_container(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  std::span<const std::byte> rest = bytes;
  const auto next = [&rest] {
    Pickle pickle = parse_torch_pickle(rest);
    rest = rest.subspan(pickle.consumed);
    return pickle;
  };
  if (const Pickle magic = next();
      !magic[magic.root].is(PickleKind::big_integer) || magic[magic.root].raw() != kMagic) {
    throw input_error("a Python pickle, but not one of torch.save (its magic number is missing)");
  }
  if (const Pickle protocol = next(); protocol[protocol.root].integer() != kProtocol) {
    throw input_error("unknown version of torch's older format (got {}, expected {})",
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
  storages.copy_budget = 2 * std::uint64_t{bytes.size()};
  for (const PickleIndex index : keys[keys.root].items()) {
    const std::string_view key = keys[index].text();
    const auto size = sizes.find(key);
    if (size == sizes.end()) throw input_error("storage {} is used by no tensor", in_quotes(key));
    std::uint64_t count = 0;
    if (rest.size() < sizeof(count)) throw input_error("storage {} is missing (the file ends)", in_quotes(key));
    std::memcpy(&count, rest.data(), sizeof(count));
    rest = rest.subspan(sizeof(count));
    if (count > rest.size() / size->second) {
      throw input_error("storage {} is too long (got {} elements of {} bytes, expected at most {} bytes)",
                        in_quotes(key), count, size->second, rest.size());
    }
    const auto data = rest.first(count * size->second);
    rest = rest.subspan(data.size());
    if (!storages.by_key.emplace(key, ZipEntry{data, owner}).second) {
      throw input_error("storage {} is there twice", in_quotes(key));
    }
  }
  return weights_of(object, storages);
}

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

}  // namespace

bool looks_like_zip(std::span<const std::byte> bytes) noexcept {
  return starts_with(bytes, "PK\x03\x04") || starts_with(bytes, "PK\x05\x06");
}

bool looks_like_pickle(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x80} && bytes[1] <= std::byte{5};
}

Weights parse_pth(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  if (looks_like_zip(bytes)) return parse_zip_container(bytes, owner);
  if (looks_like_pickle(bytes)) return parse_legacy_container(bytes, owner);
  if (bytes.size() > 262 && starts_with(bytes.subspan(257), "ustar")) {
    throw input_error("a tar file, as torch 0.1 saved them, which is not supported")
        .with_hint("load it in PyTorch and save it again");
  }
  throw input_error("not a .pth file (expected a ZIP archive or a pickle of torch.save)");
}

Weights read_pth(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  try {
    return parse_pth(file->bytes(), file);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

}  // namespace effnet::formats
