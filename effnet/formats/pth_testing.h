// Builds files in the format of torch.save byte by byte, for the tests of the .pth reader.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {

using namespace std::string_literals;

inline const std::filesystem::path kGolden = std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/formats";

inline tensor::Weights parse(std::string_view file) {
  const auto owner = std::make_shared<const std::string>(file);
  return parse_pth(std::as_bytes(std::span(*owner)), owner);
}

// Returns the error message, or why the first unreadable tensor is unreadable, or "no error".
inline std::string failure(std::string_view file) {
  try {
    const tensor::Weights weights = parse(file);
    if (!weights.unreadable.empty()) return weights.unreadable.begin()->second;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  return "no error";
}

inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries,
                          std::uint64_t zip64_from = 0xffffffff) {
  std::string file;
  ZipWriter zip(
      [&file](std::span<const std::byte> bytes) {
        file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      },
      zip64_from);
  for (const auto& [entry_name, text] : entries) zip.add(entry_name, std::as_bytes(std::span(text)));
  zip.finish();
  return file;
}

inline std::string number(std::int64_t value) {  // LONG1
  std::string text = "\x8a\x08"s;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  return text;
}
inline std::string numbers(const tensor::Dims& values) {
  std::string text = "(";
  for (const std::int64_t value : values) text += number(value);
  return text + "t";
}
inline std::string word(const std::string& text) { return "U"s + static_cast<char>(text.size()) + text; }

// Return pickle code. storage: a storage id; tensor: a call of _rebuild_tensor_v2; dict_of: a dict whose only key is x.
inline std::string storage(const std::string& key, std::int64_t count, const std::string& type = "torch\nFloatStorage",
                           const std::string& view = "") {
  return "(" + word("storage") + "c" + type + "\n" + word(key) + word("cpu") + number(count) + view + "tQ";
}
inline std::string tensor(const std::string& from, std::int64_t offset, const tensor::Dims& dims,
                          const tensor::Dims& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + from + number(offset) + numbers(dims) + numbers(strides) +
         "\x89"s
         "ccollections\nOrderedDict\n)RtR";
}
inline std::string dict_of(const std::string& value) { return "\x80\2}"s + word("x") + value + "s."; }

inline std::string floats(const std::vector<float>& values) {
  std::string text(values.size() * 4, '\0');
  if (!values.empty()) std::memcpy(text.data(), values.data(), text.size());
  return text;
}
inline const std::string kFour = floats({1, 2, 3, 4});

inline std::string zip_with(const std::string& pickle, const std::string& data = kFour) {
  return zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}, {"a/version", "3\n"}});
}

}  // namespace effnet::formats
