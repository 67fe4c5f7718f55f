#include "effnet/formats/pth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/formats/zip.h"

namespace effnet::formats {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

const std::filesystem::path kGolden = std::filesystem::path(EFFNET_SOURCE_DIR) / "tests/golden/formats";

Weights parse(std::string_view file) {
  const auto owner = std::make_shared<const std::string>(file);
  return parse_pth(std::as_bytes(std::span(*owner)), owner);
}

// The message of an error, or why the first tensor that cannot be had cannot.
std::string failure(std::string_view file) {
  try {
    const Weights weights = parse(file);
    if (!weights.unreadable.empty()) return weights.unreadable.begin()->second;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  return "no error";
}

// ---- Files made by torch 1.13 (tests/golden/formats/make_fixtures.py, whose formulas these are).

class GoldenState : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenState, IsRead) {
  const Weights weights = read_pth(kGolden / GetParam());
  const auto values = [&](std::string_view key) { return to_floats(weights.at(key)); };
  EXPECT_EQ(weights.tensors.size(), 17U);
  std::vector<float> grid;
  for (int i = 0; i < 24; ++i) grid.push_back(static_cast<float>(i) / 8);
  EXPECT_EQ(weights.at("f32").dims, (Dims{2, 3, 4}));
  EXPECT_THAT(values("f32"), ElementsAreArray(grid));
  std::vector<float> permuted;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int k = 0; k < 3; ++k) permuted.push_back(static_cast<float>(12 * j + 4 * k + i));
    }
  }
  EXPECT_EQ(weights.at("permuted").dims, (Dims{4, 2, 3}));
  EXPECT_THAT(values("permuted"), ElementsAreArray(permuted));
  EXPECT_THAT(values("window"), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(values("column"), ElementsAre(1, 5, 9));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(values("f64"), ElementsAre(0.1F, -infinity));
  EXPECT_THAT(values("f16"), ElementsAre(0, -1.5F, 65504, 0x1p-24F, infinity));
  EXPECT_THAT(values("bf16"), ElementsAre(1, -2.5F, 0x1p127F));
  EXPECT_EQ(weights.at("i64").dims, Dims{});
  EXPECT_EQ(weights.at("i64").dtype, Dtype::i64);
  EXPECT_THAT(values("i64"), ElementsAre(7));
  EXPECT_THAT(values("i32"), ElementsAre(-0x1p31F, 5));
  EXPECT_THAT(values("i16"), ElementsAre(-300, 300));
  EXPECT_THAT(values("i8"), ElementsAre(-128, 127, 3));
  EXPECT_THAT(values("u8"), ElementsAre(255));
  EXPECT_THAT(values("bool"), ElementsAre(1, 0));
  EXPECT_EQ(weights.at("empty").dims, (Dims{0, 3}));
  EXPECT_THAT(values("parameter"), ElementsAre(0, 1, 2));
  EXPECT_THAT(values("tied.b"), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(weights.at("tied.a").bytes.data(), weights.at("tied.b").bytes.data());
}
INSTANTIATE_TEST_SUITE_P(Containers, GoldenState, ::testing::Values("state.pth", "state_legacy.pth", "deflated.pth"));

class GoldenCheckpoint : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenCheckpoint, GivesItsStateDict) {
  const Weights weights = read_pth(kGolden / GetParam());
  ASSERT_EQ(weights.tensors.size(), 3U);  // not the optimizer's: its dict is none that weights are under
  EXPECT_THAT(to_floats(weights.at("state_dict.module.fc.weight")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(to_floats(weights.at("state_dict.module.fc.steps")), ElementsAre(9));
  EXPECT_THAT(to_floats(weights.at("best")), ElementsAre(0.5F));
}
INSTANTIATE_TEST_SUITE_P(Containers, GoldenCheckpoint, ::testing::Values("checkpoint.pth", "checkpoint_legacy.pth"));

TEST(Pth, WhatIsNeverRunDoesNoHarm) {
  for (const char* file : {"evil.pth", "evil_legacy.pth"}) {
    const Weights weights = read_pth(kGolden / file);
    EXPECT_THAT(to_floats(weights.at("w")), ElementsAre(0, 0));
    EXPECT_EQ(weights.tensors.size(), 1U);
    EXPECT_TRUE(weights.unreadable.empty());
  }
}

TEST(Pth, RefusesGoldenFilesThatAreNotWeights) {
  const auto says = [](const char* file) { return failure(read_text(kGolden / file)); };
  EXPECT_THAT(says("script.pth"), HasSubstr("TorchScript"));
  EXPECT_THAT(says("bomb.pth"), HasSubstr("inflates too far"));
  EXPECT_THAT(says("bzip2.pth"), HasSubstr("unsupported compression"));
  EXPECT_THAT(says("official.safetensors"), HasSubstr("not a .pth file"));
  EXPECT_THAT(failure("<!DOCTYPE html>"), HasSubstr("got a web page"));
}

TEST(Pth, EveryPrefixIsRefused) {
  for (const char* file : {"state.pth", "state_legacy.pth", "checkpoint.pth", "deflated.pth"}) {
    const std::string whole = read_text(kGolden / file);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      ASSERT_NE(failure(std::string_view(whole).substr(0, size)), "no error") << file << " " << size;
    }
  }
}

TEST(Pth, EveryFlippedByteIsHandled) {
  for (const char* file : {"state.pth", "state_legacy.pth", "deflated.pth"}) {
    const std::string whole = read_text(kGolden / file);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(~changed[at]);
      failure(changed);  // an error or other values, but nothing else (the sanitizers watch)
    }
  }
}

// ---- Files made here.

std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries,
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

std::string number(std::int64_t value) {  // LONG1
  std::string text = "\x8a\x08"s;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  return text;
}
std::string numbers(const Dims& values) {
  std::string text = "(";
  for (const std::int64_t value : values) text += number(value);
  return text + "t";
}
std::string word(const std::string& text) { return "U"s + static_cast<char>(text.size()) + text; }

// A storage id, a call of _rebuild_tensor_v2, and a dict of one such tensor under the name x.
std::string storage(const std::string& key, std::int64_t count, const std::string& type = "torch\nFloatStorage",
                    const std::string& view = "") {
  return "(" + word("storage") + "c" + type + "\n" + word(key) + word("cpu") + number(count) + view + "tQ";
}
std::string tensor(const std::string& from, std::int64_t offset, const Dims& dims, const Dims& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + from + number(offset) + numbers(dims) + numbers(strides) +
         "\x89"s
         "ccollections\nOrderedDict\n)RtR";
}
std::string dict_of(const std::string& value) { return "\x80\2}"s + word("x") + value + "s."; }

std::string floats(const std::vector<float>& values) {
  std::string text(values.size() * 4, '\0');
  if (!values.empty()) std::memcpy(text.data(), values.data(), text.size());
  return text;
}
const std::string kFour = floats({1, 2, 3, 4});

std::string zip_with(const std::string& pickle, const std::string& data = kFour) {
  return zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}, {"a/version", "3\n"}});
}
std::string legacy_with(const std::string& object, const std::string& keys, const std::string& data,
                        const std::string& little = "\x88") {
  return "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s + "\x80\2M\xe9\3."s + "\x80\2}"s +
         word("little_endian") + little + "s." + object + "\x80\2](" + keys + "e." + data;
}
std::string legacy_data(std::uint64_t count, const std::string& data) {
  std::string text(8, '\0');
  std::memcpy(text.data(), &count, 8);
  return text + data;
}

struct View {
  std::int64_t offset;
  Dims dims;
  Dims strides;
  std::string_view says;
};

TEST(PthViews, AreBounded) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const std::vector<View> views{
      {0, {4}, {1}, "no error"},
      {0, {2, 2}, {1, 2}, "no error"},
      {3, {1}, {kHuge}, "no error"},    // the stride of one element means nothing
      {0, {2, 2}, {1, 1}, "no error"},  // overlapping, but within
      {4, {0}, {1}, "no error"},
      {1, {4}, {1}, "leaves its storage"},
      {0, {2, 2}, {3, 1}, "leaves its storage"},
      {0, {2}, {kHuge}, "leaves its storage"},
      {0, {3, 1}, {kHuge, kHuge}, "leaves its storage"},
      {kHuge, {1}, {1}, "leaves its storage"},
      {0, {5}, {0}, "no error"},  // expanded
      {3, {2, 3}, {0, 0}, "no error"},
      {4, {5}, {0}, "leaves its storage"},
      {0, {1 << 30, 1 << 20}, {0, 0}, "more than twice the file's size (got 1073741824x1048576)"},
      {0, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}, "shape too large"},
      {0, {4}, {-1}, "negative strides"},
      {0, {-4}, {1}, "negative shape"},
      {-1, {4}, {1}, "negative storage offset"},
      {0, {2, 2}, {1}, "1 strides for 2 dimensions"},
      {0, Dims(65, 1), Dims(65, 1), "shape too long"},
      {0, Dims(64, 1), Dims(64, 1), "no error"},
  };
  for (const auto& [offset, dims, strides, says] : views) {
    const std::string pickle = dict_of(tensor(storage("0", 4), offset, dims, strides));
    EXPECT_THAT(failure(zip_with(pickle)), HasSubstr(std::string(says)))
        << to_string(dims) << " " << to_string(strides);
    EXPECT_THAT(failure(legacy_with(pickle, word("0"), legacy_data(4, kFour))), HasSubstr(std::string(says)));
  }
}

TEST(PthViews, AreGatheredInRowMajorOrder) {
  // Every stride order of a 2x3x1x2 tensor, element (a, b, c, d) = 6a + 2b + d by construction of the storage.
  const Dims dims{2, 3, 1, 2};
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  do {
    Dims strides(4);
    std::int64_t step = 1;
    for (std::size_t i = 4; i-- > 0; step *= dims[order[i]]) strides[order[i]] = step;
    std::vector<float> raw(13, -1);  // one unused element in front
    for (int i = 0; i < 12; ++i) {
      const std::int64_t at = i / 6 * strides[0] + i / 2 % 3 * strides[1] + i % 2 * strides[3];
      raw[static_cast<std::size_t>(at + 1)] = static_cast<float>(i);
    }
    const Weights weights = parse(zip_with(dict_of(tensor(storage("0", 13), 1, dims, strides)), floats(raw)));
    EXPECT_THAT(to_floats(weights.at("x")), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)) << to_string(strides);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PthViews, AreExpandedFromOneElement) {
  const Weights weights = parse(zip_with(dict_of(tensor(storage("0", 4), 1, {2, 3}, {1, 0}))));
  EXPECT_THAT(to_floats(weights.at("x")), ElementsAre(2, 2, 2, 3, 3, 3));
}

TEST(PthViews, CannotMultiplyTheFile) {
  // One storage of 64 KiB, many transposed views of all of it.
  const std::string data(65536, '\1');
  std::string pickle = "\x80\2}("s;
  for (int i = 0; i < 64; ++i) pickle += word(std::to_string(i)) + tensor(storage("0", 16384), 0, {128, 128}, {1, 128});
  const std::string file = zip_with(pickle + "u.", data);
  const Weights weights = parse(file);
  std::size_t copied = 0;
  for (const auto& [name, one] : weights.tensors) copied += one.bytes.size();
  EXPECT_LE(copied, 2 * file.size() + (1U << 20));
  EXPECT_EQ(weights.tensors.size() + weights.unreadable.size(), 64U);
  EXPECT_THAT(failure(file), HasSubstr("more than twice the file's size"));
}

TEST(PthStorages, AreChecked) {
  const auto x = [](const std::string& from) { return dict_of(tensor(from, 0, {4}, {1})); };
  EXPECT_EQ(failure(zip_with(x(storage("0", 4)))), "no error");
  EXPECT_THAT(failure(zip_with(x(storage("1", 4)))), HasSubstr("storage '1' is missing"));
  EXPECT_THAT(failure(zip_with(x(storage("../a/data/0", 4)))), HasSubstr("is missing"));
  EXPECT_THAT(failure(zip_with(x(storage("0", 5)))), HasSubstr("storage '0' is too short"));
  EXPECT_THAT(failure(zip_with(x(storage("0", std::numeric_limits<std::int64_t>::max())))), HasSubstr("too short"));
  EXPECT_THAT(failure(zip_with(x(storage("0", -1)))), HasSubstr("negative storage size"));
  EXPECT_THAT(failure(zip_with(x(storage("0", 4, "torch\nDoubleStorage")))), HasSubstr("too short"));
  EXPECT_EQ(failure(zip_with(x(storage("0", 4, "collections\nOrderedDict")))),
            "unsupported dtype (got 'collections.OrderedDict')");
  EXPECT_EQ(failure(zip_with(x(storage("0", 4, "torch\nQInt8Storage")))),
            "unsupported dtype (got 'torch.QInt8Storage')");
  EXPECT_EQ(failure(zip_with(x(storage("0", 4, "my\nStorage")))), "unsupported dtype (got 'my.Storage')");
  EXPECT_THAT(failure(zip_with(x("N"))), HasSubstr("a tensor without a storage"));
  EXPECT_THAT(failure(zip_with(x("NQ"))), HasSubstr("unknown persistent id"));

  // The older container: windows of a storage, and what may be wrong with the list of storages.
  const auto window = [](std::int64_t from, std::int64_t count) {
    return "(" + word("1") + number(from) + number(count) + "t";
  };
  const auto seen = [&](const std::string& view) {
    return legacy_with(dict_of(tensor(storage("0", 4, "torch\nFloatStorage", view), 0, {2}, {1})), word("0"),
                       legacy_data(4, kFour));
  };
  EXPECT_THAT(to_floats(parse(seen(window(1, 2))).at("x")), ElementsAre(2, 3));
  EXPECT_THAT(failure(seen(window(1, 1))), HasSubstr("leaves its storage"));
  EXPECT_THAT(failure(seen(window(3, 2))), HasSubstr("a window leaves it"));
  EXPECT_THAT(failure(seen(window(5, 0))), HasSubstr("a window leaves it"));
  // Past a storage of numbers that nobody here needs; one whose elements have no known size cannot be passed.
  const auto two = [&](const std::string& type) {
    return legacy_with("\x80\2}("s + word("c") + tensor(storage("1", 2, type), 0, {2}, {1}) + word("x") +
                           tensor(storage("0", 4), 0, {4}, {1}) + "u.",
                       word("1") + word("0"), legacy_data(2, std::string(16, '\7')) + legacy_data(4, kFour));
  };
  EXPECT_THAT(to_floats(parse(two("torch\nComplexFloatStorage")).at("x")), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(failure(two("torch\nComplexFloatStorage")), "unsupported dtype (got 'torch.ComplexFloatStorage')");
  EXPECT_THAT(failure(two("my\nStorage")), HasSubstr("unknown storage type (got 'my.Storage')"));
  const std::string object = x(storage("0", 4));
  EXPECT_EQ(failure(legacy_with(object, word("0"), legacy_data(4, kFour))), "no error");
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(5, kFour))), HasSubstr("storage '0' is too long"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(~0ULL, kFour))), HasSubstr("storage '0' is too long"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(3, kFour))), HasSubstr("storage '0' is too short"));
  EXPECT_THAT(failure(legacy_with(object, word("1"), legacy_data(4, kFour))), HasSubstr("used by no tensor"));
  EXPECT_THAT(failure(legacy_with(object, "", "")), HasSubstr("storage '0' is missing"));
  EXPECT_THAT(failure(legacy_with(object, word("0") + word("0"), legacy_data(4, kFour) + legacy_data(4, kFour))),
              HasSubstr("twice"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(4, kFour), "\x89")), HasSubstr("big-endian"));
}

TEST(PthPickles, AsNewerTorchWritesThem) {
  // Dtypes without a storage type of their own: bytes, and the dtype as the seventh argument.
  const std::string v3 = "ctorch._utils\n_rebuild_tensor_v3\n(" + storage("0", 16, "torch.storage\nUntypedStorage") +
                         number(1) + numbers({3}) + numbers({1}) +
                         "\x89"s
                         "ccollections\nOrderedDict\n)R" +
                         "ctorch\nfloat32\ntR";
  EXPECT_THAT(to_floats(parse(zip_with(dict_of(v3))).at("x")), ElementsAre(2, 3, 4));
  // A parameter with attributes, and one inside a type of its own.
  const std::string plain = tensor(storage("0", 4), 0, {4}, {1});
  const std::string parameter = "ctorch._utils\n_rebuild_parameter_with_state\n(" + plain + "\x88NNtR"s;
  EXPECT_THAT(to_floats(parse(zip_with(dict_of(parameter))).at("x")), ElementsAre(1, 2, 3, 4));
  const std::string typed =
      "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n("s +
      storage("0", 4) + number(0) + numbers({4}) + numbers({1}) + "\x89NtNtR"s;
  EXPECT_THAT(to_floats(parse(zip_with(dict_of(typed))).at("x")), ElementsAre(1, 2, 3, 4));
  // torch.Size as the shape.
  const std::string sized = "ctorch._utils\n_rebuild_tensor\n(" + storage("0", 4) + number(0) + "ctorch\nSize\n(" +
                            numbers({2, 2}) + "tR" + numbers({2, 1}) + "tR";
  EXPECT_EQ(parse(zip_with(dict_of(sized))).at("x").dims, (Dims{2, 2}));
}

TEST(PthPickles, WrappersCannotNestForever) {
  std::string value = tensor(storage("0", 4), 0, {4}, {1});
  for (int i = 0; i < 5; ++i) value = "ctorch._utils\n_rebuild_parameter\n(" + value + "\x88NtR"s;
  EXPECT_THAT(failure(zip_with(dict_of(value))), HasSubstr("which effnet does not run"));
  // A parameter of itself, by way of a list in the memo.
  EXPECT_NE(failure(zip_with(dict_of("ctorch._utils\n_rebuild_parameter\n]q\1h\1a\x85R"s))), "no error");
}

TEST(PthPickles, HoldObjectsThatSayNothing) {
  // As protocol 2 writes them: Counter, set, complex, bytes, a numpy scalar, a Path, a partial with its state.
  const std::string x = word("x") + tensor(storage("0", 4), 0, {4}, {1});
  const std::vector<std::string> objects{
      "ccollections\nCounter\n}K\x1eK\1s\x85R"s,
      "c__builtin__\nset\n](K\1K\2e\x85R"s,
      "c__builtin__\ncomplex\nG\0\0\0\0\0\0\0\0G\0\0\0\0\0\0\0\0\x86R"s,
      "c_codecs\nencode\n" + word("ab") + word("latin1") + "\x86R",
      "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" + word("f8") + "\x89\x88\x87R(K\3"s + word("<") + "NNNtb" +
          word("12345678") + "\x86R",
      "cpathlib\nPosixPath\n" + word("a") + "\x85R",
      "cfunctools\npartial\nctorch.nn\nBatchNorm2d\n\x85R(ctorch.nn\nBatchNorm2d\n)}Ntb"s,
      "cargparse\nNamespace\n)\x81}" + word("lr") + "K\1sb",
      "cos\nsystem\n" + word("ls") + "\x85R",
      "cenum_of\nMine\n",
  };
  for (const std::string& object : objects) {
    const Weights weights = parse(zip_with("\x80\2}("s + word("o") + object + x + "u."));
    EXPECT_THAT(to_floats(weights.at("x")), ElementsAre(1, 2, 3, 4)) << object;
    EXPECT_TRUE(weights.unreadable.empty()) << object;
  }
  // A tensor that somebody else's code would make.
  const std::string made = "cmy.code\nrebuild\n(" + storage("0", 4) + number(1) + "tR";
  const Weights weights = parse(zip_with("\x80\2}("s + word("t") + made + x + "u."));
  EXPECT_EQ(weights.tensors.size(), 1U);
  EXPECT_EQ(weights.unreadable.at("t"), "made by a call of 'my.code.rebuild', which effnet does not run");
}

TEST(PthStateDicts, AreFoundUnderKnownKeys) {
  const auto at = [](const std::string& key) {
    return word(key) + "}" + word("module.w") + tensor(storage("0", 4), 0, {1}, {1}) + "s";
  };
  const auto names = [](const std::string& entries) {
    std::vector<std::string> found;
    for (const auto& [name, one] : parse(zip_with("\x80\2}("s + entries + "u.")).tensors) found.push_back(name);
    return found;
  };
  EXPECT_THAT(names(at("model") + at("state_dict_ema") + at("optimizer")),
              ElementsAre("model.module.w", "state_dict_ema.module.w"));
  EXPECT_THAT(names(word("ema") + "}(" + at("net") + "u" + word("epoch") + "K\1"), ElementsAre("ema.net.module.w"));
  EXPECT_THAT(names(word("epoch") + tensor(storage("0", 4), 0, {}, {}) + at("params")),
              ElementsAre("epoch", "params.module.w"));
  // A dict that holds itself, and one that is there under two keys.
  EXPECT_THAT(names(at("model") + word("net") + "}q\1" + word("net") + "h\1s"), ElementsAre("model.module.w"));
  EXPECT_THAT(failure(zip_with("\x80\2}("s + at("other") + "u.")),
              HasSubstr("no state dict in this file (got the keys 'other', expected a dict of tensors, or one under"));
  EXPECT_THAT(failure(zip_with("\x80\2K\1."s)), HasSubstr("no state dict in this file (got no dict"));
  EXPECT_THAT(failure(zip_with("\x80\2cmy\nNet\n)\x81}b."s)), HasSubstr("(got an object of 'my.Net'"));
  EXPECT_THAT(failure(zip_with("\x80\2}"s + word("model") + "cmy\nNet\n)\x81}bs.")),
              HasSubstr("(got the keys 'model' (an object of 'my.Net')"));
  const std::string one = tensor(storage("0", 4), 0, {1}, {1});
  EXPECT_THAT(failure(zip_with("\x80\2}("s + word("w") + one + word("w") + one + "u.")),
              HasSubstr("tensor 'w': it is there twice"));
}

// As miniz writes a name that is not ASCII: the flag that says UTF-8 in both headers. torch before 2.1 takes the
// file's.
std::string named(const std::string& folder) {
  std::string file =
      zip_of({{folder + "/data.pkl", dict_of(tensor(storage("0", 4), 0, {4}, {1}))}, {folder + "/data/0", kFour}});
  for (const auto& [magic, flags] : {std::pair{"PK\3\4", 6}, std::pair{"PK\1\2", 8}}) {
    for (std::size_t at = file.find(magic); at != std::string::npos; at = file.find(magic, at + 1))
      file[at + static_cast<std::size_t>(flags) + 1] |= '\x08';
  }
  return file;
}

TEST(PthZip, TakesNamesThatAreNotAscii) {
  // e with an accent, composed and (macOS) decomposed; Japanese; beyond 16 bits.
  for (const char* folder : {"mod\xc3\xa8le", "mode\xcc\x80le", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\xa6\x8a"}) {
    EXPECT_EQ(failure(named(folder)), "no error") << folder;
    EXPECT_THAT(to_floats(parse(named(folder)).at("x")), ElementsAre(1, 2, 3, 4));
  }
  EXPECT_THAT(failure(named("mod\xe8le")),
              HasSubstr("whose name cannot be read (expected UTF-8, which it says it is)"));
  EXPECT_EQ(failure(zip_of(
                {{"mod\xe8le/data.pkl", dict_of(tensor(storage("0", 4), 0, {4}, {1}))}, {"mod\xe8le/data/0", kFour}})),
            "no error");  // without the flag a name is bytes
}

TEST(PthZip, SaysThatAFileEndsEarly) {
  const std::string whole = named("a");
  EXPECT_THAT(failure(whole.substr(0, whole.size() - 22)), HasSubstr("the ZIP archive ends early"));
  EXPECT_THAT(failure(whole.substr(0, 100)), HasSubstr("the ZIP archive ends early"));
}

TEST(PthZip, IsChecked) {
  const std::string pickle = dict_of(tensor(storage("0", 4), 0, {4}, {1}));
  EXPECT_EQ(failure(zip_of({{"data.pkl", pickle}, {"data/0", kFour}})), "no error");
  EXPECT_EQ(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/byteorder", "little"}})), "no error");
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/byteorder", "big"}})),
              HasSubstr("byte order"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/version", "11\n"}})),
              HasSubstr("version"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}})), HasSubstr("more than one data.pkl"));
  EXPECT_THAT(failure(zip_of({{"a/weights", kFour}})), HasSubstr("not one of torch.save"));
  EXPECT_THAT(failure(zip_of({})), HasSubstr("ZIP"));
  EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kFour}, {"a/data/0", kFour}})), HasSubstr("twice"));
  for (const char* entry : {"a/../data/0", "/a/data/0", "..", "a/.."}) {
    EXPECT_THAT(failure(zip_of({{"a/data.pkl", pickle}, {entry, kFour}})), HasSubstr("unsafe name")) << entry;
  }
}

TEST(PthZip, LyingSizesAreRefused) {
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
  // Data that changed after the checksum was made.
  std::string changed = file;
  changed[changed.find(kFour)] = '\1';
  EXPECT_THAT(failure(changed), HasSubstr("broken ZIP archive"));
}

TEST(Crc32, MatchesTheKnownValues) {
  const auto crc = [](std::string_view text) { return crc32(std::as_bytes(std::span(text))); };
  EXPECT_EQ(crc(""), 0U);
  EXPECT_EQ(crc("123456789"), 0xcbf43926U);  // the check value of the ZIP polynomial
  EXPECT_EQ(crc("The quick brown fox jumps over the lazy dog"), 0x414fa339U);
}

// ---- Writing. That torch.load opens it is tested by tests/golden/formats/torch_reads_ours.py.

std::vector<std::pair<std::string, Tensor>> every_tensor() {
  const Weights weights = read_pth(kGolden / "state.pth");
  return {weights.tensors.rbegin(), weights.tensors.rend()};
}

TEST(WritePth, WritesWhatItReads) {
  const TemporaryFolder folder;
  const auto ordered = every_tensor();
  write_pth(folder.path() / "a.pth", ordered);
  write_pth(folder.path() / "other name", ordered);
  EXPECT_EQ(read_text(folder.path() / "a.pth"), read_text(folder.path() / "other name"));
  const auto map = std::make_shared<const MappedFile>(folder.path() / "a.pth");
  const Weights weights = parse_pth(map->bytes(), map);
  ASSERT_EQ(weights.tensors.size(), ordered.size());
  for (const auto& [tensor_name, expected] : ordered) {
    const Tensor& got = weights.at(tensor_name);
    EXPECT_EQ(got.dtype, expected.dtype);
    EXPECT_EQ(got.dims, expected.dims);
    ASSERT_EQ(got.bytes.size(), expected.bytes.size());
    EXPECT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(), expected.bytes.begin())) << tensor_name;
    if (got.bytes.empty()) continue;
    EXPECT_EQ((got.bytes.data() - map->bytes().data()) % 64, 0) << tensor_name;  // and so a view, not a copy
    EXPECT_LT(got.bytes.data(), map->bytes().data() + map->bytes().size());
  }
}

// ours.pth is what torch_reads_ours.py gives to torch.load: if these bytes change, run it again on the new ones.
TEST(WritePth, WritesTheBytesThatTorchWasSeenToRead) {
  const TemporaryFolder folder;
  write_pth(folder.path() / "a.pth", every_tensor());
  EXPECT_EQ(read_text(folder.path() / "a.pth"), read_text(kGolden / "ours.pth"));
}

TEST(WritePth, RefusesNamesTwiceAndLeavesNothing) {
  const TemporaryFolder folder;
  const Tensor one = make_tensor({1}, {1});
  EXPECT_THROW(write_pth(folder.path() / "a.pth", {{"x", one}, {"x", one}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_THROW(write_pth(folder.path() / "missing" / "a.pth", {{"x", one}}), Error);
}

TEST(WritePth, Zip64RecordsAreRead) {
  // With a limit of 100 bytes this small archive has every record that one of 5 GB has.
  const std::vector<float> values(64, 1.5F);
  const std::string pickle = dict_of(tensor(storage("0", 64), 0, {8, 8}, {8, 1}));
  const std::string file = zip_of({{"a/data.pkl", pickle}, {"a/data/0", floats(values)}, {"a/version", "3\n"}}, 100);
  EXPECT_NE(file.find("PK\6\6"), std::string::npos);
  EXPECT_NE(file.find("PK\6\7"), std::string::npos);
  EXPECT_THAT(to_floats(parse(file).at("x")), ElementsAreArray(values));
}

}  // namespace
}  // namespace effnet::formats
