#include "effnet/formats/pth_state.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/weights_location.h"

namespace effnet::formats {
namespace {

using tensor::DtypeInfo;

// Storage types whose numbers Tensor cannot hold, with the element size in bytes. The reader of the legacy container
// needs the size to skip them.
constexpr std::array<std::pair<std::string_view, std::size_t>, 7> kOtherStorages{{{"torch.ComplexFloatStorage", 8},
                                                                                  {"torch.ComplexDoubleStorage", 16},
                                                                                  {"torch.QInt8Storage", 1},
                                                                                  {"torch.QUInt8Storage", 1},
                                                                                  {"torch.QInt32Storage", 4},
                                                                                  {"torch.QUInt4x2Storage", 1},
                                                                                  {"torch.QUInt2x4Storage", 1}}};
// Storages of bytes. The dtype is an argument of the call that creates a tensor of them (_rebuild_tensor_v3).
constexpr std::array<std::string_view, 4> kUntypedStorages{"torch.UntypedStorage", "torch.storage.UntypedStorage",
                                                           "torch.storage._UntypedStorage", "torch._UntypedStorage"};

// The known globals are the storages above, the storages and dtypes of tensor::dtypes(), and these. None of them is
// ever called.
constexpr std::array<std::string_view, 9> kOtherGlobals{
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Tensor",
    "torch.Size",
};

const std::vector<std::string_view>& known_globals() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all(kOtherGlobals.begin(), kOtherGlobals.end());
    all.insert(all.end(), kUntypedStorages.begin(), kUntypedStorages.end());
    for (const auto& [text, size] : kOtherStorages) all.push_back(text);
    for (const DtypeInfo& info : tensor::dtypes()) all.insert(all.end(), {info.storage, info.torch});
    return all;
  }();
  return names;
}

constexpr std::size_t kMaxDims = 64;  // torch's own limit
constexpr int kMaxNesting = 6;

// Returns the name of a known or foreign global, for messages.
std::string global_name(const Pickle& pickle, const PickleValue& value) {
  if (!value.is(PickleKind::foreign)) return std::string(value.raw());
  return fmt::format("{}.{}", pickle.item(value, 0).raw(), pickle.item(value, 1).raw());
}

// Thrown for a tensor that effnet cannot read. The file is valid, so this becomes an error only if the network needs
// the tensor.
struct Unreadable {
  std::string why;
};

// A persistent id: ('storage', type, key, location, element count[, (view key, offset, element count)]).
struct StorageId {
  std::optional<tensor::Dtype> dtype;  // nullopt: bytes, or numbers that Tensor cannot hold
  std::size_t element_bytes = 1;
  std::string type;
  bool known = true;  // the type is known, and so is the element size
  std::string_view key;
  std::uint64_t count = 0;  // elements in the whole storage
  // A legacy storage may be a window of another storage. The window begins at the element `offset` and has `window`
  // elements.
  std::uint64_t offset = 0;
  std::uint64_t window = 0;
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
  StorageId storage;
  storage.type = global_name(pickle, pickle.item(id, 1));
  storage.dtype = tensor::find_dtype(&DtypeInfo::storage, storage.type);
  if (storage.dtype) storage.element_bytes = tensor::size_bytes(*storage.dtype);
  storage.known = storage.dtype ||
                  std::find(kUntypedStorages.begin(), kUntypedStorages.end(), storage.type) != kUntypedStorages.end();
  for (const auto& [text, size] : kOtherStorages) {
    if (text != storage.type) continue;
    storage.element_bytes = size;
    storage.known = true;
  }
  storage.key = pickle.item(id, 2).text();
  storage.count = storage.window = count_of(pickle.item(id, 4), "storage size");
  if (id.items().size() > 5 && !pickle.item(id, 5).is(PickleKind::none)) {
    const PickleValue& view = pickle.item(id, 5);
    storage.offset = count_of(pickle.item(view, 1), "storage offset");
    storage.window = count_of(pickle.item(view, 2), "storage size");
    if (storage.offset > storage.count || storage.window > storage.count - storage.offset) {
      throw input_error("storage {}: a window exceeds the storage", in_quotes(storage.key));
    }
  }
  return storage;
}

tensor::Dims dims_of(const Pickle& pickle, const PickleValue& list, std::string_view what) {
  // torch.Size(...) is a call with one tuple as its argument.
  const PickleValue& items = list.is(PickleKind::object) ? pickle.item(pickle.item(list, 1), 0) : list;
  if (!items.is(PickleKind::tuple) && !items.is(PickleKind::list)) throw input_error("{} is not a tuple", what);
  if (items.items().size() > kMaxDims) {
    throw input_error("{} too long (got {}, expected at most {})", what, items.items().size(), kMaxDims);
  }
  tensor::Dims dims;
  for (const PickleIndex index : items.items())
    dims.push_back(static_cast<std::int64_t>(count_of(pickle[index], what)));
  return dims;
}

bool row_major(const tensor::Dims& dims, const tensor::Dims& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1 && strides[i] != expected) return false;
    expected *= dims[i];
  }
  return true;
}

// Copies elements of kBytes bytes into row-major order. The caller has checked that all indices are inside the source.
template <std::size_t kBytes>
void gather(const std::byte* source, const tensor::Dims& dims, const tensor::Dims& strides, std::byte* target) {
  tensor::Dims at(dims.size(), 0);
  const std::size_t inner = dims.size() - 1;
  for (;;) {
    const std::byte* from = source;
    for (std::int64_t i = 0; i < dims[inner]; ++i) {
      std::memcpy(target, from, kBytes);
      target += kBytes;
      if (i + 1 < dims[inner]) from += strides[inner] * static_cast<std::int64_t>(kBytes);
    }
    std::size_t axis = inner;
    for (;;) {  // advance `at` to the next row
      if (axis == 0) return;
      --axis;
      if (++at[axis] < dims[axis]) break;
      source -= (dims[axis] - 1) * strides[axis] * static_cast<std::int64_t>(kBytes);
      at[axis] = 0;
    }
    source += strides[axis] * static_cast<std::int64_t>(kBytes);
  }
}

// Returns the tensor with these dims and strides, which begins at the element `offset` of the storage: a view if it is
// row-major, otherwise a copy. Throws Error(input) if it exceeds the storage, Unreadable if the copy exceeds the
// budget.
tensor::Tensor view_of(const StorageId& id, const tensor::Dims& dims, const tensor::Dims& strides, std::uint64_t offset,
                       tensor::Dtype dtype, Storages& storages) {
  const auto found = storages.by_key.find(id.key);
  if (found == storages.by_key.end()) throw input_error("storage {} is missing", in_quotes(id.key));
  const ZipEntry& storage = found->second;
  if (id.count > storage.bytes.size() / id.element_bytes) {
    throw input_error("storage {} is too short (got {} bytes, expected {} elements of {})", in_quotes(id.key),
                      storage.bytes.size(), id.count, id.element_bytes);
  }
  const auto window = storage.bytes.subspan(id.offset * id.element_bytes, id.window * id.element_bytes);
  const std::size_t element = tensor::size_bytes(dtype);
  const std::uint64_t available = window.size() / element;

  if (dims.size() != strides.size()) {
    throw input_error("wrong number of strides (got {}, expected {}: one per dimension)", strides.size(), dims.size());
  }
  const auto count = static_cast<std::uint64_t>(tensor::numel(dims));
  if (count == 0) return {dtype, dims, {}, storage.owner};
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
    throw input_error("a view exceeds its storage (got shape {}, strides {}, offset {}, expected within {} elements)",
                      tensor::to_string(dims), tensor::to_string(strides), offset, available);
  }
  const std::span<const std::byte> from = window.subspan(offset * element);
  if (row_major(dims, strides)) return {dtype, dims, from.first(count * element), storage.owner};

  if (count * element > storages.copy_budget) {
    throw Unreadable{
        fmt::format("copies of strided and expanded tensors would take more than twice the file's size (got shape {})",
                    tensor::to_string(dims))};
  }
  storages.copy_budget -= count * element;
  tensor::Dims steps = strides;  // an axis of length 1 may have any stride, so it is set to 0
  for (std::size_t i = 0; i < dims.size(); ++i) steps[i] = dims[i] == 1 ? 0 : strides[i];
  auto copy = std::make_shared<std::vector<std::byte>>(count * element);
  const auto copy_rows = element == 8 ? gather<8> : element == 4 ? gather<4> : element == 2 ? gather<2> : gather<1>;
  copy_rows(from.data(), dims, steps, copy->data());
  return {dtype, dims, std::span<const std::byte>(*copy), copy};
}

bool is_call(const PickleValue& value) { return value.is(PickleKind::object); }

// The innermost call that creates the tensor. `arguments` is null if the value is not a tensor.
struct Call {
  std::string_view function;
  const PickleValue* arguments = nullptr;
};

Call tensor_call(const Pickle& pickle, const PickleValue& value) {
  const PickleValue* inner = &value;
  // torch wraps a tensor in at most one parameter, so a chain of more than 4 calls does not come from torch.
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

tensor::Tensor tensor_of(const Pickle& pickle, const Call& call, Storages& storages) {
  // (storage, offset, shape, strides, ...); v3 has the dtype as its seventh argument.
  const PickleValue& arguments = *call.arguments;
  const StorageId id = storage_id(pickle, pickle.item(arguments, 0));
  std::optional<tensor::Dtype> dtype = id.dtype;
  std::string type = id.type;
  if (call.function == "torch._utils._rebuild_tensor_v3") {
    type = global_name(pickle, pickle.item(arguments, 6));
    dtype = tensor::find_dtype(&DtypeInfo::torch, type);
  }
  if (!dtype) throw Unreadable{fmt::format("unsupported dtype (got {})", in_quotes(type))};
  const std::uint64_t offset = count_of(pickle.item(arguments, 1), "storage offset");
  const tensor::Dims dims = dims_of(pickle, pickle.item(arguments, 2), "shape");
  const tensor::Dims strides = dims_of(pickle, pickle.item(arguments, 3), "strides");
  return view_of(id, dims, strides, offset, *dtype, storages);
}

// Returns true if the arguments of an unknown call contain a storage. The result of such a call may be a tensor. Only
// the first kLooked values are examined, because calls that create tensors have the storage as an early argument.
bool holds_storage(const Pickle& pickle, const PickleValue& call) {
  constexpr std::size_t kLooked = 32;
  std::vector<const PickleValue*> found{&call};
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]->is(PickleKind::persistent)) return true;
    for (const PickleIndex index : found[i]->items()) {
      if (found.size() == kLooked) break;
      found.push_back(&pickle[index]);
    }
  }
  return false;
}

// Collects the tensors of a dict, and of nested dicts whose keys are known words, under dotted names.
class Collector {
 public:
  Collector(const Pickle& pickle, Storages& storages) : pickle_(pickle), storages_(storages) {}

  tensor::Weights collect() {
    add_dict(pickle_[pickle_.root], "", 0);
    if (weights_.tensors.empty() && weights_.unreadable.empty()) throw no_state_dict();
    return std::move(weights_);
  }

 private:
  void add_dict(const PickleValue& dict, const std::string& prefix, int depth) {
    // A dict may contain itself. Therefore each dict is read once, and the nesting depth is limited.
    if (depth > kMaxNesting || !seen_.insert(&dict).second) return;
    const auto items = dict.items();
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = pickle_[items[i]];
      if (!key.is(PickleKind::text)) continue;
      const PickleValue& value = pickle_[items[i + 1]];
      const std::string full = prefix + std::string(key.raw());
      if (value.is(PickleKind::dict) && is_prefix_word(key.raw())) add_dict(value, full + ".", depth + 1);
      if (value.is(PickleKind::object)) add_object(value, full);
    }
  }

  void add_object(const PickleValue& value, const std::string& full) {
    const Call call = tensor_call(pickle_, value);
    try {
      if (call.arguments != nullptr) {
        tensor::Tensor tensor = tensor_of(pickle_, call, storages_);
        if (weights_.unreadable.contains(full) || !weights_.tensors.emplace(full, std::move(tensor)).second) {
          throw input_error("duplicate name");
        }
      } else if (holds_storage(pickle_, value)) {
        throw Unreadable{fmt::format("created by a call of {}, which effnet does not execute",
                                     in_quotes(global_name(pickle_, pickle_.item(value, 0))))};
      }
    } catch (const Unreadable& reason) {
      weights_.unreadable.emplace(full, reason.why);
    } catch (const Error& error) {
      throw error.in(fmt::format("tensor {}", in_quotes(full)));
    }
  }

  Error no_state_dict() const {
    const PickleValue& root = pickle_[pickle_.root];
    std::string got = root.is(PickleKind::object) ? "an object of class " + class_of(root) : "another value";
    if (root.is(PickleKind::dict)) got = keys_of(root);
    return input_error(
               "no state dict in this file (got {}, expected a dict of tensors, at the top or under a key such as "
               "state_dict, model, net or ema)",
               got)
        .with_hint(kSaveStateDict);
  }

  std::string class_of(const PickleValue& object) const {
    return in_quotes(global_name(pickle_, pickle_.item(object, 0)));
  }

  // Returns "the keys 'epoch', 'model' (an object of class 'torchvision.models.resnet.ResNet'), ...".
  std::string keys_of(const PickleValue& dict) const {
    constexpr std::size_t kShown = 5;
    std::string text;
    const auto items = dict.items();
    for (std::size_t i = 0; i + 1 < items.size() && i < 2 * kShown; i += 2) {
      const PickleValue& value = pickle_[items[i + 1]];
      text += (i > 0 ? ", " : "") + in_quotes(pickle_[items[i]].raw());
      if (value.is(PickleKind::object)) text += " (an object of class " + class_of(value) + ")";
    }
    if (items.size() > 2 * kShown) text += ", ...";
    return text.empty() ? "an empty dict" : "the keys " + text;
  }

  const Pickle& pickle_;
  Storages& storages_;
  tensor::Weights weights_;
  std::set<const PickleValue*> seen_;
};

}  // namespace

Pickle parse_torch_pickle(std::span<const std::byte> bytes) { return parse_pickle(bytes, known_globals()); }

std::map<std::string_view, std::size_t> element_sizes(const Pickle& pickle) {
  std::map<std::string_view, std::size_t> sizes;
  for (const PickleValue& value : pickle.values) {
    if (!value.is(PickleKind::persistent)) continue;
    const StorageId id = storage_id(pickle, value);
    if (!id.known) throw input_error("unknown storage type (got {})", in_quotes(id.type));
    const auto [known, fresh] = sizes.emplace(id.key, id.element_bytes);
    if (!fresh && known->second != id.element_bytes) {
      throw input_error("storage {} is used with different element sizes", in_quotes(id.key));
    }
  }
  return sizes;
}

tensor::Weights weights_of(const Pickle& pickle, Storages& storages) { return Collector(pickle, storages).collect(); }

}  // namespace effnet::formats
