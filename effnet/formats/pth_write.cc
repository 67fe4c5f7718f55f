#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {
namespace {

// The folder inside the archive. torch uses the file's name. A fixed name makes the bytes independent of the file's
// name.
constexpr std::string_view kFolder = "archive/";
// Pickle code that calls OrderedDict().
constexpr std::string_view kOrderedDict = "ccollections\nOrderedDict\n)R";

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>((value >> (8 * i)) & 255U);
  return text;
}

std::string pickled(std::string_view text) { return "X" + little_endian(text.size(), 4).append(text); }  // BINUNICODE

std::string pickled(std::uint64_t value) {
  if (value < 256) return "K" + little_endian(value, 1);                                        // BININT1
  if (value <= std::numeric_limits<std::int32_t>::max()) return "J" + little_endian(value, 4);  // BININT
  return "\x8a" + little_endian(8, 1) + little_endian(value, 8);                                // LONG1
}

std::string pickled(const tensor::Dims& dims) {
  std::string text = "(";
  for (const std::int64_t dim : dims) text += pickled(static_cast<std::uint64_t>(dim));
  return text + "t";
}

tensor::Dims row_major_strides(const tensor::Dims& dims) {
  tensor::Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(dims[i], 1);
  return strides;
}

// Pickle code for _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks). The storage is a
// persistent id ('storage', type, key, location, element count).
std::string pickled(const tensor::Tensor& tensor, std::string_view key) {
  const auto count = static_cast<std::uint64_t>(tensor::numel(tensor.dims));
  std::string text = "ctorch._utils\n_rebuild_tensor_v2\n((";
  text += pickled(std::string_view("storage"));
  std::string storage(tensor::info(tensor.dtype).storage);  // GLOBAL: module and name, one line each
  text += fmt::format("c{}\n", storage.replace(storage.find('.'), 1, "\n"));
  text += pickled(key) + pickled(std::string_view("cpu")) + pickled(count) + "tQ";
  text += pickled(std::uint64_t{0}) + pickled(tensor.dims) + pickled(row_major_strides(tensor.dims));
  return text.append("\x89").append(kOrderedDict).append("tR");
}

// Pickle code for the attribute `_metadata` of torch's state dicts: a format version per module. Only the top module
// gets one, version 2, because torchvision's MNASNet rejects a state dict without it. Other modules do not read it.
std::string module_versions() {
  std::string text = "}" + pickled(std::string_view("_metadata")).append(kOrderedDict) + "(";
  text += pickled(std::string_view("")) + "}" + pickled(std::string_view("version")) + pickled(std::uint64_t{2});
  return text + "sus";  // s: {"version": 2}; u: {"": {"version": 2}}, the OrderedDict; s: {"_metadata": OrderedDict}
}

}  // namespace

void write_pth(const std::filesystem::path& path, const std::vector<std::pair<std::string, tensor::Tensor>>& ordered) {
  std::string pickle = std::string("\x80\x02").append(kOrderedDict).append("(");
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const auto& [tensor_name, tensor] = ordered[i];
    EFFNET_CHECK(tensor.bytes.size() ==
                 static_cast<std::uint64_t>(tensor::numel(tensor.dims)) * tensor::size_bytes(tensor.dtype));
    if (!names.insert(tensor_name).second) {
      throw input_error("{}: duplicate tensor name {}", path.string(), in_quotes(tensor_name));
    }
    pickle += pickled(std::string_view(tensor_name)) + pickled(tensor, std::to_string(i));
  }
  pickle.append("u").append(module_versions()).append("b.");

  AtomicFile file(path);
  ZipWriter zip([&file](std::span<const std::byte> bytes) { file.write(bytes); });
  const auto add = [&zip](std::string_view entry_name, std::span<const std::byte> bytes) {
    zip.add(fmt::format("{}{}", kFolder, entry_name), bytes);
  };
  const auto bytes_of = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  add("data.pkl", bytes_of(pickle));
  add("byteorder", bytes_of("little"));
  for (std::size_t i = 0; i < ordered.size(); ++i) add(fmt::format("data/{}", i), ordered[i].second.bytes);
  add("version", bytes_of("3\n"));
  zip.finish();
  file.commit();
}

}  // namespace effnet::formats
