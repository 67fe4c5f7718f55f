#include "effnet/formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kGolden = std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/formats";

std::string file_of(std::string_view header, std::size_t data_bytes, std::uint64_t length) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data_bytes, '\0');
}
std::string file_of(std::string_view header, std::size_t data_bytes) {
  return file_of(header, data_bytes, header.size());
}

tensor::Weights parse(std::string_view file) {
  const auto owner = std::make_shared<const std::string>(file);
  return parse_safetensors(std::as_bytes(std::span(*owner)), owner);
}

std::string failure(std::string_view file) {
  try {
    parse(file);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

// tests/golden/formats/make_safetensors.py wrote the file with the official library.
TEST(Safetensors, ReadsTheOfficialLibrarysFile) {
  const tensor::Weights weights = read_safetensors(kGolden / "official.safetensors");
  ASSERT_EQ(weights.tensors.size(), 11U);
  EXPECT_EQ(weights.metadata.at("note"), "quotes \" and ä");
  EXPECT_EQ(weights.at("f32").dims, (tensor::Dims{2, 3}));
  EXPECT_THAT(tensor::to_floats(weights.at("f32")), ElementsAre(0, 0.125F, 0.25F, 0.375F, 0.5F, 0.625F));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(tensor::to_floats(weights.at("f64")), ElementsAre(0.1F, -infinity));
  EXPECT_THAT(tensor::to_floats(weights.at("f16")), ElementsAre(0, -1.5F, 65504, 0x1p-24F, infinity));
  EXPECT_THAT(tensor::to_floats(weights.at("bf16")), ElementsAre(1, -2.5F, 0x1p127F));
  EXPECT_EQ(weights.at("i64").dims, tensor::Dims{});
  EXPECT_THAT(tensor::to_floats(weights.at("i64")), ElementsAre(7));
  EXPECT_THAT(tensor::to_floats(weights.at("i32")), ElementsAre(-0x1p31F, 5));
  EXPECT_EQ(weights.at("i16").dims, (tensor::Dims{2, 1}));
  EXPECT_THAT(tensor::to_floats(weights.at("i16")), ElementsAre(-300, 300));
  EXPECT_THAT(tensor::to_floats(weights.at("i8")), ElementsAre(-128, 127, 3));
  EXPECT_THAT(tensor::to_floats(weights.at("u8")), ElementsAre(255));
  EXPECT_THAT(tensor::to_floats(weights.at("bool")), ElementsAre(1, 0));
  EXPECT_EQ(weights.at("empty").dims, (tensor::Dims{0, 3}));
}

TEST(Safetensors, ListsTensorsOfUnsupportedDtypes) {
  const tensor::Weights weights = read_safetensors(kGolden / "unsupported.safetensors");
  EXPECT_TRUE(weights.tensors.empty());
  EXPECT_THAT(weights.unreadable.at("x"), HasSubstr("unsupported dtype (got 'U16', expected F64"));
  try {
    weights.at("x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("tensor 'x': unsupported dtype (got 'U16'"));
  }
  // Tensors after an unreadable tensor are read, even if the size of its dtype is unknown (here six bits per element).
  const tensor::Weights more = parse(file_of(
      R"({"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[3,6]},)"
      R"("c":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}})",
      8));
  EXPECT_EQ(more.unreadable.size(), 2U);
  EXPECT_EQ(more.at("c").bytes.size(), 2U);
}

TEST(Safetensors, MetadataMayBeNull) {
  EXPECT_EQ(
      parse(file_of(R"({"__metadata__":null,"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2)).tensors.size(),
      1U);
  EXPECT_TRUE(parse(file_of(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"__metadata__":null})", 2))
                  .metadata.empty());
}

TEST(Safetensors, MessageSaysThatTheFileEndsEarly) {
  const std::string whole = file_of(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  for (const std::size_t size : {whole.size() - 1, whole.size() - 8, std::size_t{20}}) {
    try {
      const auto owner = std::make_shared<const std::string>(whole.substr(0, size));
      parse_safetensors(std::as_bytes(std::span(*owner)), owner);
      FAIL() << size;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(fmt::format("the file ends early (got {} bytes, expected at least ", size)));
      EXPECT_THAT(error.hint(), HasSubstr("download or copy it again"));
    }
  }
}

TEST(Safetensors, RoundTrips) {
  const TemporaryFolder folder;
  tensor::Weights weights = read_safetensors(kGolden / "official.safetensors");
  weights.metadata["arch"] = "line\nbreak \"quoted\" \\ ä";
  weights.tensors.emplace("odd name \" ä", weights.at("bf16"));
  write_safetensors(folder.path() / "a", weights);
  const tensor::Weights again = read_safetensors(folder.path() / "a");
  EXPECT_EQ(again.metadata, weights.metadata);
  ASSERT_EQ(again.tensors.size(), weights.tensors.size());
  const std::string text = read_text(folder.path() / "a");
  const auto base =
      reinterpret_cast<std::uintptr_t>(again.at("f64").bytes.data());  // the first tensor: largest elements
  EXPECT_EQ(base % 64, 0U);                                            // a mapping begins at a page border
  for (const auto& [tensor_name, tensor] : weights.tensors) {
    const tensor::Tensor& other = again.at(tensor_name);
    EXPECT_EQ(other.dtype, tensor.dtype);
    EXPECT_EQ(other.dims, tensor.dims);
    ASSERT_EQ(other.bytes.size(), tensor.bytes.size());
    EXPECT_TRUE(std::equal(other.bytes.begin(), other.bytes.end(), tensor.bytes.begin())) << tensor_name;
    EXPECT_EQ((reinterpret_cast<std::uintptr_t>(other.bytes.data()) - base) % tensor::size_bytes(other.dtype), 0U);
  }
  write_safetensors(folder.path() / "b", again);
  EXPECT_EQ(read_text(folder.path() / "b"), text);
}

TEST(Safetensors, RoundTripsAFileWithoutTensors) {
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "empty", {});
  EXPECT_EQ(read_text(folder.path() / "empty").size(), 64U);
  EXPECT_TRUE(read_safetensors(folder.path() / "empty").tensors.empty());
}

TEST(Safetensors, TensorsOutliveTheWeights) {
  tensor::Tensor tensor;
  {
    const TemporaryFolder folder;
    tensor::Weights weights;
    weights.tensors.emplace("x", tensor::make_tensor({2}, {1, 2}));
    write_safetensors(folder.path() / "a", weights);
    tensor = read_safetensors(folder.path() / "a").at("x");
  }
  EXPECT_THAT(tensor::to_floats(tensor), ElementsAre(1, 2));
}

TEST(Safetensors, WriteRejectsWhatReadRejects) {
  const TemporaryFolder folder;
  tensor::Weights reserved;
  reserved.tensors.emplace("__metadata__", tensor::make_tensor({1}, {1}));
  EXPECT_THROW(write_safetensors(folder.path() / "a", reserved), Error);
  tensor::Weights bytes;
  bytes.tensors.emplace("\xff", tensor::make_tensor({1}, {1}));
  EXPECT_THROW(write_safetensors(folder.path() / "a", bytes), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

constexpr std::string_view kOne = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST(Safetensors, RejectsCorruptFiles) {
  EXPECT_EQ(failure(file_of(kOne, 8)), "no error");
  EXPECT_EQ(failure(file_of(R"(  {})", 0)), "header is not a JSON object (expected { as its first byte)");
  struct Case {
    std::string header;
    std::size_t data;
    std::string_view says;
  };
  const auto one = [](std::string_view entry) { return fmt::format("{{\"x\":{{{}}}}}", entry); };
  const std::vector<Case> cases{
      {std::string(kOne), 7, "ends early"},
      {std::string(kOne), 9, "1 bytes after the last tensor"},
      {one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), 8, "does not fit the shape (got 8 bytes, expected 12"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), 8, "out of range"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), 12, "leaves a gap"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), 8, "incomplete"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"), 8, "more than two"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615])"), 8, "out of range"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551616])"), 8, "a fraction"},
      {one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), 8, "negative"},
      {one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), 8, "a fraction"},
      {one(R"("dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,8])"), 8, "shape too large"},
      {one(R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])"), 0, "shape too large"},
      {one(R"("dtype":"F8_E4M3","shape":[8],"data_offsets":[0,7])"), 8, "1 bytes after the last tensor"},
      {one(R"("dtype":3,"shape":[2],"data_offsets":[0,8])"), 8, "a number"},
      {one(R"("dtype":"F32","shape":"2","data_offsets":[0,8])"), 8, "a text"},
      {one(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), 8, "an array"},
      {one(R"("dtype":"F32","shape":{"a":2},"data_offsets":[0,8])"), 8, "an object"},
      {one(R"("dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8])"), 8, "twice"},
      {one(R"("dtype":"F32","data_offsets":[0,8])"), 8, "incomplete"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1)"), 8, "unknown field 'extra'"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])") + "x", 8, "not valid JSON"},
      {R"({"x":null})", 0, "null"},
      {R"({"__metadata__":null,"__metadata__":null})", 0, "twice"},
      {R"({"__metadata__":{"a":null}})", 0, "null"},
      {R"({"x":[1]})", 0, "an array"},
      {R"({"x":1})", 0, "a number"},
      {R"({"__metadata__":{"a":1}})", 0, "a number"},
      {R"({"__metadata__":{"a":["b"]}})", 0, "an array"},
      {R"({"__metadata__":{"a":"b","a":"c"}})", 0, "twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"},
      {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "not valid JSON"},
      {R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "overlaps"},
      {R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"x":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       4, "twice"},
  };
  for (const auto& [header, data, says] : cases) {
    EXPECT_THAT(failure(file_of(header, data)), HasSubstr(std::string(says))) << header;
  }
}

TEST(Safetensors, RejectsWrongLengthsAndDeepNesting) {
  EXPECT_THAT(failure(""), HasSubstr("got an empty file"));
  EXPECT_THAT(failure("\1\2\3"), HasSubstr("too short"));
  EXPECT_THAT(failure(file_of(kOne, 8, kOne.size() + 9)), HasSubstr("ends early"));
  EXPECT_THAT(failure(file_of(kOne, 8, std::numeric_limits<std::uint64_t>::max())), HasSubstr("header length"));
  EXPECT_THAT(failure(file_of(std::string(100'000'001, ' '), 0)), HasSubstr("expected at most 100000000"));
  // A million levels: the reader must neither recurse nor store them.
  EXPECT_THAT(failure(file_of("{\"x\":" + std::string(1'000'000, '['), 0)), HasSubstr("an array"));
  std::string dims = R"({"x":{"dtype":"U8","shape":[1)";
  for (int i = 0; i < 64; ++i) dims += ",1";
  EXPECT_THAT(failure(file_of(dims + R"(],"data_offsets":[0,1]}})", 1)), HasSubstr("more than 64 dimensions"));
}

TEST(Safetensors, EveryTruncationIsRejected) {
  const std::string whole = read_text(kGolden / "official.safetensors");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(failure(whole.substr(0, size)), "no error") << size;
}

}  // namespace
}  // namespace effnet::formats
