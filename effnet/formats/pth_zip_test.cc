// Reading and writing the ZIP container of .pth files.
#include "effnet/formats/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/file.h"
#include "effnet/formats/pth_testing.h"

namespace effnet::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// Returns an archive with this folder name, with or without the UTF-8 flag in both headers of each entry. torch writes
// archives with miniz, which sets the flag for a name that is not ASCII. torch before 2.1 uses the file's own name as
// the folder name.
std::string named(const std::string& folder, bool utf8 = true) {
  std::string file =
      zip_of({{folder + "/data.pkl", dict_of(tensor(storage("0", 4), 0, {4}, {1}))}, {folder + "/data/0", kFour}});
  for (const auto& [magic, flags] : {std::pair{"PK\3\4", 6U}, std::pair{"PK\1\2", 8U}}) {
    for (std::size_t at = file.find(magic); at != std::string::npos; at = file.find(magic, at + 1))
      file[at + flags + 1] = utf8 ? '\x08' : '\0';
  }
  return file;
}

TEST(PthZip, AcceptsNonAsciiNames) {
  // An accented e as one code point and (macOS) as two code points; Japanese; a code point of more than 16 bits.
  for (const char* folder : {"mod\xc3\xa8le", "mode\xcc\x80le", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\xa6\x8a"}) {
    EXPECT_EQ(failure(named(folder)), "no error") << folder;
    EXPECT_THAT(tensor::to_floats(parse(named(folder)).at("x")), ElementsAre(1, 2, 3, 4));
  }
  EXPECT_THAT(failure(named("mod\xe8le")),
              HasSubstr("ZIP entry with an unreadable name (expected UTF-8, as its flag says)"));
  EXPECT_EQ(failure(named("mod\xe8le", false)), "no error");  // without the flag, a name is a sequence of bytes
}

TEST(PthZip, MessageSaysThatTheFileEndsEarly) {
  const std::string whole = named("a");
  EXPECT_THAT(failure(whole.substr(0, whole.size() - 22)), HasSubstr("the ZIP archive ends early"));
  EXPECT_THAT(failure(whole.substr(0, 100)), HasSubstr("the ZIP archive ends early"));
}

TEST(PthZip, RejectsOtherArchives) {
  const std::string pickle = dict_of(tensor(storage("0", 4), 0, {4}, {1}));
  EXPECT_EQ(failure(zip_of({{"data.pkl", pickle}, {"data/0", kFour}})), "no error");
  EXPECT_EQ(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/byteorder", "little"}})), "no error");
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/byteorder", "big"}})),
              HasSubstr("byte order"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/version", "11\n"}})),
              HasSubstr("version"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}})), HasSubstr("more than one data.pkl"));
  EXPECT_THAT(failure(zip_of({{"a/weights", kFour}})), HasSubstr("that torch.save did not write"));
  EXPECT_THAT(failure(zip_of({})), HasSubstr("ZIP"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/data/0", kFour}})), HasSubstr("twice"));
  for (const char* entry : {"a/../data/0", "/a/data/0", "..", "a/.."}) {
    EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {entry, kFour}})), HasSubstr("unsafe name")) << entry;
  }
}

TEST(PthZip, WrongSizesAreRejected) {
  const std::string file = zip_with(dict_of(tensor(storage("0", 4), 0, {4}, {1})));
  const std::size_t record = file.rfind("a/data/0") - 46;  // the entry in the central directory
  ASSERT_EQ(file.substr(record, 4), "PK\1\2");
  for (const std::size_t field : {16U, 20U, 24U, 42U}) {  // CRC, both sizes, offset of the data
    for (const std::uint32_t lie : {0U, 15U, 17U, 0x7fffffffU, 0xffffffffU}) {
      std::string changed = file;
      std::memcpy(changed.data() + record + field, &lie, 4);
      EXPECT_NE(failure(changed), "no error") << field << " " << lie;
    }
  }
  // Data that differs from its checksum.
  std::string changed = file;
  changed[changed.find(kFour)] = '\1';
  EXPECT_THAT(failure(changed), HasSubstr("corrupt ZIP archive"));
}

TEST(Crc32, MatchesKnownValues) {
  const auto crc = [](std::string_view text) { return crc32(std::as_bytes(std::span(text))); };
  EXPECT_EQ(crc(""), 0U);
  EXPECT_EQ(crc("123456789"), 0xcbf43926U);  // the check value of the ZIP polynomial
  EXPECT_EQ(crc("The quick brown fox jumps over the lazy dog"), 0x414fa339U);
}

// ---- Writing. tests/golden/formats/torch_reads_ours.py tests that torch.load opens the file.

std::vector<std::pair<std::string, tensor::Tensor>> every_tensor() {
  const tensor::Weights weights = read_pth(kGolden / "state.pth");
  return {weights.tensors.rbegin(), weights.tensors.rend()};
}

TEST(WritePth, RoundTrips) {
  const TemporaryFolder folder;
  const auto ordered = every_tensor();
  write_pth(folder.path() / "a.pth", ordered);
  write_pth(folder.path() / "other name", ordered);
  EXPECT_EQ(read_text(folder.path() / "a.pth"), read_text(folder.path() / "other name"));
  const auto map = std::make_shared<const MappedFile>(folder.path() / "a.pth");
  const tensor::Weights weights = parse_pth(map->bytes(), map);
  ASSERT_EQ(weights.tensors.size(), ordered.size());
  for (const auto& [tensor_name, expected] : ordered) {
    const tensor::Tensor& got = weights.at(tensor_name);
    EXPECT_EQ(got.dtype, expected.dtype);
    EXPECT_EQ(got.dims, expected.dims);
    ASSERT_EQ(got.bytes.size(), expected.bytes.size());
    EXPECT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(), expected.bytes.begin())) << tensor_name;
    if (got.bytes.empty()) continue;
    EXPECT_EQ((got.bytes.data() - map->bytes().data()) % 64, 0) << tensor_name;
    // The tensor is a view of the file, not a copy.
    EXPECT_LT(got.bytes.data(), map->bytes().data() + map->bytes().size());
  }
}

// torch_reads_ours.py passes ours.pth to torch.load. If these bytes change, replace ours.pth and run the script again.
TEST(WritePth, MatchesTheFileThatTorchLoaded) {
  const TemporaryFolder folder;
  write_pth(folder.path() / "a.pth", every_tensor());
  EXPECT_EQ(read_text(folder.path() / "a.pth"), read_text(kGolden / "ours.pth"));
}

TEST(WritePth, RejectsDuplicateNamesAndWritesNoFile) {
  const TemporaryFolder folder;
  const tensor::Tensor one = tensor::make_tensor({1}, {1});
  EXPECT_THROW(write_pth(folder.path() / "a.pth", {{"x", one}, {"x", one}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_THROW(write_pth(folder.path() / "missing" / "a.pth", {{"x", one}}), Error);
}

TEST(WritePth, Zip64RecordsAreRead) {
  // With a limit of 100 bytes, this small archive has all record types of an archive of 5 GB.
  const std::vector<float> values(64, 1.5F);
  const std::string pickle = dict_of(tensor(storage("0", 64), 0, {8, 8}, {8, 1}));
  const std::string file = zip_of({{"a/data.pkl", pickle}, {"a/data/0", floats(values)}, {"a/version", "3\n"}}, 100);
  EXPECT_NE(file.find("PK\6\6"), std::string::npos);
  EXPECT_NE(file.find("PK\6\7"), std::string::npos);
  EXPECT_THAT(tensor::to_floats(parse(file).at("x")), ElementsAreArray(values));
}

}  // namespace
}  // namespace effnet::formats
