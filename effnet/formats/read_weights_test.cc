#include "effnet/formats/read_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/formats/safetensors.h"

namespace effnet::formats {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::filesystem::path kGolden = std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/formats";

TEST(OpenWeights, DetectsTheFormatByContent) {
  const TemporaryFolder folder;
  for (const auto& [file, format] : {std::pair{"official.safetensors", "safetensors"}, std::pair{"state.pth", "pth"},
                                     std::pair{"state_legacy.pth", "pth-legacy"}}) {
    const auto misnamed = folder.path() / "weights.onnx";
    std::filesystem::copy_file(kGolden / file, misnamed, std::filesystem::copy_options::overwrite_existing);
    const WeightsFile opened = open_weights(misnamed);
    EXPECT_EQ(opened.format, format);
    EXPECT_EQ(opened.weights.tensors.size(), read_weights(kGolden / file).tensors.size());
  }
}

TEST(OpenWeights, HeaderLengthIsNotMistakenForAPickle) {
  // The header lengths 640 and 896 are the bytes 80 02 and 80 03, with which pickles begin, too.
  const TemporaryFolder folder;
  for (std::size_t target : {128U, 640U, 896U}) {
    tensor::Weights weights;
    weights.tensors.emplace("x", tensor::make_tensor({1}, {2}));
    weights.metadata["pad"] = "";
    write_safetensors(folder.path() / "a", weights);
    const std::string text = read_text(folder.path() / "a");
    // The file is built by hand: the test needs headers of any length, and effnet's writer pads each to 64 n - 8 bytes.
    std::string header = text.substr(8, text.size() - 12);
    header.resize(header.find_last_of('}') + 1);
    header.resize(target, ' ');
    std::string file(8, '\0');
    file[0] = static_cast<char>(target & 255U);
    file[1] = static_cast<char>(target >> 8);
    write_text(folder.path() / "b", file + header + text.substr(text.size() - 4));
    EXPECT_EQ(open_weights(folder.path() / "b").format, "safetensors") << target;
  }
}

TEST(OpenWeights, MessageNamesTheKindOfAForeignFile) {
  const TemporaryFolder folder;
  struct Case {
    const char* file;
    std::string text;
    const char* says;
  };
  const std::vector<Case> cases{
      {"a.pth", "", "an empty file"},
      {"a.h5", "\x89HDF\r\n\x1a\n and more", "HDF5"},
      {"m.ckpt.index", "some keys\x57\xfb\x80\x8b\x24\x75\x47\xdb", "TensorFlow checkpoint index"},
      {"m.ckpt.data-00000-of-00001", "raw data", "data file of a TensorFlow checkpoint"},
      {"m.ckpt.meta", "graph", "TensorFlow graph"},
      {"a.tflite", "\x1c\0\0\0TFL3...."s, "TensorFlow Lite"},
      {"a.onnx", "\x08\x07\x12\x07pytorch", "ONNX"},
      {"a.tar.gz", "\x1f\x8b\x08\0", "gzip"},
      {"a.tar", std::string(257, '\0') + "ustar\0"s, "tar archive"},
      {"a.pth", "<!DOCTYPE html><html>", "a web page"},
      {"a.pth", "version https://git-lfs.github.com/spec/v1", "Git LFS"},
      {"a.npy", "\x93NUMPY\1\0", "NumPy"},
      {"a.pth", "\1\2nothing that anybody knows", "unknown content"},
      {"a.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "Git LFS"},
      {"a.safetensors", "\n <HTML><body>404", "a web page"},
      {"a.safetensors", "\xef\xbb\xbf<!-- x --><html>", "a web page"},
      {"a.pth", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"},
      {"a.safetensors", "{\n  \"metadata\": {\"total_size\": 1},\n  \"weight_map\": {\"x\": \"m-00001.safetensors\"}}",
       "a JSON index of weights in several files"},
      {"a.safetensors", "{\"error\": \"not found\"}", "a JSON text"},
      {"a.json", "name = \"net\"\nresolution = 32\n", "a TOML text, such as an arch file"},
      {"a.safetensors", "Entry not found", "a text that begins with 'Entry not found'"},
      {"a.safetensors", "\x1f\x8b\x08\0\0\0\0\0\0\3"s, "gzip"},
      {"a.safetensors", "\xff\xd8\xff\xe0\0\x10JFIF"s, "a JPEG image"},
      {"a.safetensors", std::string(4096, '\0'), "only zero bytes"},
      {"a.safetensors", "", "an empty file"},
  };
  for (const auto& [file, text, says] : cases) {
    write_text(folder.path() / file, text);
    try {
      open_weights(folder.path() / file);
      ADD_FAILURE() << file;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(file), HasSubstr(says), HasSubstr("expected safetensors or a .pth")));
    }
  }
  // The content is unknown, but the extension is .safetensors, so the message says what is wrong in a safetensors file.
  write_text(folder.path() / "a.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}");
  try {
    open_weights(folder.path() / "a.safetensors");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("header length out of range"));
  }
}

TEST(OpenWeights, MissingFilesAndFoldersAreInputErrors) {
  EXPECT_THROW(open_weights("/nonexistent/weights.pth"), Error);
  EXPECT_THROW(open_weights(kGolden), Error);
}

}  // namespace
}  // namespace effnet::formats
