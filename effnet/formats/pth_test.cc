#include "effnet/formats/pth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "effnet/base/file.h"
#include "effnet/formats/pth_testing.h"

namespace effnet::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// ---- Files that torch 1.13 wrote. The expected values are computed as in tests/golden/formats/make_fixtures.py.

class GoldenState : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenState, IsRead) {
  const tensor::Weights weights = read_pth(kGolden / GetParam());
  const auto values = [&](std::string_view key) { return tensor::to_floats(weights.at(key)); };
  EXPECT_EQ(weights.tensors.size(), 17U);
  std::vector<float> grid;
  for (int i = 0; i < 24; ++i) grid.push_back(static_cast<float>(i) / 8);
  EXPECT_EQ(weights.at("f32").dims, (tensor::Dims{2, 3, 4}));
  EXPECT_THAT(values("f32"), ElementsAreArray(grid));
  std::vector<float> permuted;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int k = 0; k < 3; ++k) permuted.push_back(static_cast<float>(12 * j + 4 * k + i));
    }
  }
  EXPECT_EQ(weights.at("permuted").dims, (tensor::Dims{4, 2, 3}));
  EXPECT_THAT(values("permuted"), ElementsAreArray(permuted));
  EXPECT_THAT(values("window"), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(values("column"), ElementsAre(1, 5, 9));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(values("f64"), ElementsAre(0.1F, -infinity));
  EXPECT_THAT(values("f16"), ElementsAre(0, -1.5F, 65504, 0x1p-24F, infinity));
  EXPECT_THAT(values("bf16"), ElementsAre(1, -2.5F, 0x1p127F));
  EXPECT_EQ(weights.at("i64").dims, tensor::Dims{});
  EXPECT_EQ(weights.at("i64").dtype, tensor::Dtype::i64);
  EXPECT_THAT(values("i64"), ElementsAre(7));
  EXPECT_THAT(values("i32"), ElementsAre(-0x1p31F, 5));
  EXPECT_THAT(values("i16"), ElementsAre(-300, 300));
  EXPECT_THAT(values("i8"), ElementsAre(-128, 127, 3));
  EXPECT_THAT(values("u8"), ElementsAre(255));
  EXPECT_THAT(values("bool"), ElementsAre(1, 0));
  EXPECT_EQ(weights.at("empty").dims, (tensor::Dims{0, 3}));
  EXPECT_THAT(values("parameter"), ElementsAre(0, 1, 2));
  EXPECT_THAT(values("tied.b"), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(weights.at("tied.a").bytes.data(), weights.at("tied.b").bytes.data());
}
INSTANTIATE_TEST_SUITE_P(Containers, GoldenState, ::testing::Values("state.pth", "state_legacy.pth", "deflated.pth"));

class GoldenCheckpoint : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenCheckpoint, GivesItsStateDict) {
  const tensor::Weights weights = read_pth(kGolden / GetParam());
  ASSERT_EQ(weights.tensors.size(), 3U);  // not the optimizer's tensors: its key is unknown
  EXPECT_THAT(tensor::to_floats(weights.at("state_dict.module.fc.weight")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(tensor::to_floats(weights.at("state_dict.module.fc.steps")), ElementsAre(9));
  EXPECT_THAT(tensor::to_floats(weights.at("best")), ElementsAre(0.5F));
}
INSTANTIATE_TEST_SUITE_P(Containers, GoldenCheckpoint, ::testing::Values("checkpoint.pth", "checkpoint_legacy.pth"));

TEST(Pth, MaliciousCallsAreNotExecuted) {
  for (const char* file : {"evil.pth", "evil_legacy.pth"}) {
    const tensor::Weights weights = read_pth(kGolden / file);
    EXPECT_THAT(tensor::to_floats(weights.at("w")), ElementsAre(0, 0));
    EXPECT_EQ(weights.tensors.size(), 1U);
    EXPECT_TRUE(weights.unreadable.empty());
  }
}

TEST(Pth, RejectsFilesThatAreNotWeights) {
  const auto says = [](const char* file) { return failure(read_text(kGolden / file)); };
  EXPECT_THAT(says("script.pth"), HasSubstr("TorchScript"));
  EXPECT_THAT(says("bomb.pth"), HasSubstr("too large when inflated"));
  EXPECT_THAT(says("bzip2.pth"), HasSubstr("unsupported compression"));
  EXPECT_THAT(says("official.safetensors"), HasSubstr("not a .pth file"));
  EXPECT_THAT(failure("<!DOCTYPE html>"), HasSubstr("got a web page"));
}

TEST(Pth, EveryTruncationIsRejected) {
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
      failure(changed);  // must give an error or other values; the sanitizers detect invalid memory accesses
    }
  }
}

// ---- Files that the tests below build.

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
  tensor::Dims dims;
  tensor::Dims strides;
  std::string_view says;
};

TEST(PthViews, MustStayInsideTheirStorage) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const std::vector<View> views{
      {0, {4}, {1}, "no error"},
      {0, {2, 2}, {1, 2}, "no error"},
      {3, {1}, {kHuge}, "no error"},    // the stride of a single element is ignored
      {0, {2, 2}, {1, 1}, "no error"},  // overlapping, but inside
      {4, {0}, {1}, "no error"},
      {1, {4}, {1}, "exceeds its storage"},
      {0, {2, 2}, {3, 1}, "exceeds its storage"},
      {0, {2}, {kHuge}, "exceeds its storage"},
      {0, {3, 1}, {kHuge, kHuge}, "exceeds its storage"},
      {kHuge, {1}, {1}, "exceeds its storage"},
      {0, {5}, {0}, "no error"},  // expanded
      {3, {2, 3}, {0, 0}, "no error"},
      {4, {5}, {0}, "exceeds its storage"},
      {0, {1 << 30, 1 << 20}, {0, 0}, "more than twice the file's size (got shape 1073741824x1048576)"},
      {0, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}, "shape too large"},
      {0, {4}, {-1}, "negative strides"},
      {0, {-4}, {1}, "negative shape"},
      {-1, {4}, {1}, "negative storage offset"},
      {0, {2, 2}, {1}, "wrong number of strides (got 1, expected 2"},
      {0, tensor::Dims(65, 1), tensor::Dims(65, 1), "shape too long"},
      {0, tensor::Dims(64, 1), tensor::Dims(64, 1), "no error"},
  };
  for (const auto& [offset, dims, strides, says] : views) {
    const std::string pickle = dict_of(tensor(storage("0", 4), offset, dims, strides));
    EXPECT_THAT(failure(zip_with(pickle)), HasSubstr(std::string(says)))
        << tensor::to_string(dims) << " " << tensor::to_string(strides);
    EXPECT_THAT(failure(legacy_with(pickle, word("0"), legacy_data(4, kFour))), HasSubstr(std::string(says)));
  }
}

TEST(PthViews, AreGatheredInRowMajorOrder) {
  // Every order of the strides of a 2x3x1x2 tensor. The storage is filled so that the element at the indices (a, b, c,
  // d) has the value 6a + 2b + d.
  const tensor::Dims dims{2, 3, 1, 2};
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  do {
    tensor::Dims strides(4);
    std::int64_t step = 1;
    for (std::size_t i = 4; i-- > 0; step *= dims[order[i]]) strides[order[i]] = step;
    std::vector<float> raw(13, -1);  // one unused element at the start
    for (int i = 0; i < 12; ++i) {
      const std::int64_t at = i / 6 * strides[0] + i / 2 % 3 * strides[1] + i % 2 * strides[3];
      raw[static_cast<std::size_t>(at + 1)] = static_cast<float>(i);
    }
    const tensor::Weights weights = parse(zip_with(dict_of(tensor(storage("0", 13), 1, dims, strides)), floats(raw)));
    EXPECT_THAT(tensor::to_floats(weights.at("x")), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
        << tensor::to_string(strides);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PthViews, AreExpandedFromOneElement) {
  const tensor::Weights weights = parse(zip_with(dict_of(tensor(storage("0", 4), 1, {2, 3}, {1, 0}))));
  EXPECT_THAT(tensor::to_floats(weights.at("x")), ElementsAre(2, 2, 2, 3, 3, 3));
}

TEST(PthViews, CopiesAreLimitedByTheFilesSize) {
  // One storage of 64 KiB with many transposed views of its full size.
  const std::string data(65536, '\1');
  std::string pickle = "\x80\2}("s;
  for (int i = 0; i < 64; ++i) pickle += word(std::to_string(i)) + tensor(storage("0", 16384), 0, {128, 128}, {1, 128});
  const std::string file = zip_with(pickle + "u.", data);
  const tensor::Weights weights = parse(file);
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

  // The legacy container: windows of a storage, and errors in the list of storages.
  const auto window = [](std::int64_t from, std::int64_t count) {
    return "(" + word("1") + number(from) + number(count) + "t";
  };
  const auto seen = [&](const std::string& view) {
    return legacy_with(dict_of(tensor(storage("0", 4, "torch\nFloatStorage", view), 0, {2}, {1})), word("0"),
                       legacy_data(4, kFour));
  };
  EXPECT_THAT(tensor::to_floats(parse(seen(window(1, 2))).at("x")), ElementsAre(2, 3));
  EXPECT_THAT(failure(seen(window(1, 1))), HasSubstr("exceeds its storage"));
  EXPECT_THAT(failure(seen(window(3, 2))), HasSubstr("a window exceeds the storage"));
  EXPECT_THAT(failure(seen(window(5, 0))), HasSubstr("a window exceeds the storage"));
  // A storage of an unsupported type is skipped if its element size is known, otherwise it is an error.
  const auto two = [&](const std::string& type) {
    return legacy_with("\x80\2}("s + word("c") + tensor(storage("1", 2, type), 0, {2}, {1}) + word("x") +
                           tensor(storage("0", 4), 0, {4}, {1}) + "u.",
                       word("1") + word("0"), legacy_data(2, std::string(16, '\7')) + legacy_data(4, kFour));
  };
  EXPECT_THAT(tensor::to_floats(parse(two("torch\nComplexFloatStorage")).at("x")), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(failure(two("torch\nComplexFloatStorage")), "unsupported dtype (got 'torch.ComplexFloatStorage')");
  EXPECT_THAT(failure(two("my\nStorage")), HasSubstr("unknown storage type (got 'my.Storage')"));
  const std::string object = x(storage("0", 4));
  EXPECT_EQ(failure(legacy_with(object, word("0"), legacy_data(4, kFour))), "no error");
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(5, kFour))), HasSubstr("storage '0' is too long"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(~0ULL, kFour))), HasSubstr("storage '0' is too long"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(3, kFour))), HasSubstr("storage '0' is too short"));
  EXPECT_THAT(failure(legacy_with(object, word("1"), legacy_data(4, kFour))), HasSubstr("no tensor uses it"));
  EXPECT_THAT(failure(legacy_with(object, "", "")), HasSubstr("storage '0' is missing"));
  EXPECT_THAT(failure(legacy_with(object, word("0") + word("0"), legacy_data(4, kFour) + legacy_data(4, kFour))),
              HasSubstr("twice"));
  EXPECT_THAT(failure(legacy_with(object, word("0"), legacy_data(4, kFour), "\x89")), HasSubstr("big-endian"));
}

TEST(PthPickles, OfNewerTorchVersionsAreRead) {
  // A dtype that has no storage type of its own: the storage has bytes, and the dtype is the seventh argument.
  const std::string v3 = "ctorch._utils\n_rebuild_tensor_v3\n(" + storage("0", 16, "torch.storage\nUntypedStorage") +
                         number(1) + numbers({3}) + numbers({1}) +
                         "\x89"s
                         "ccollections\nOrderedDict\n)R" +
                         "ctorch\nfloat32\ntR";
  EXPECT_THAT(tensor::to_floats(parse(zip_with(dict_of(v3))).at("x")), ElementsAre(2, 3, 4));
  // A parameter with attributes, and a tensor inside _rebuild_from_type_v2.
  const std::string plain = tensor(storage("0", 4), 0, {4}, {1});
  const std::string parameter = "ctorch._utils\n_rebuild_parameter_with_state\n(" + plain + "\x88NNtR"s;
  EXPECT_THAT(tensor::to_floats(parse(zip_with(dict_of(parameter))).at("x")), ElementsAre(1, 2, 3, 4));
  const std::string typed =
      "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n("s +
      storage("0", 4) + number(0) + numbers({4}) + numbers({1}) + "\x89NtNtR"s;
  EXPECT_THAT(tensor::to_floats(parse(zip_with(dict_of(typed))).at("x")), ElementsAre(1, 2, 3, 4));
  // torch.Size as the shape.
  const std::string sized = "ctorch._utils\n_rebuild_tensor\n(" + storage("0", 4) + number(0) + "ctorch\nSize\n(" +
                            numbers({2, 2}) + "tR" + numbers({2, 1}) + "tR";
  EXPECT_EQ(parse(zip_with(dict_of(sized))).at("x").dims, (tensor::Dims{2, 2}));
}

TEST(PthPickles, NestingOfWrappersIsLimited) {
  std::string value = tensor(storage("0", 4), 0, {4}, {1});
  for (int i = 0; i < 5; ++i) value = "ctorch._utils\n_rebuild_parameter\n(" + value + "\x88NtR"s;
  EXPECT_THAT(failure(zip_with(dict_of(value))), HasSubstr("which effnet does not execute"));
  // A parameter that contains itself through a list in the memo.
  EXPECT_NE(failure(zip_with(dict_of("ctorch._utils\n_rebuild_parameter\n]q\1h\1a\x85R"s))), "no error");
}

TEST(PthPickles, MayContainForeignObjects) {
  // Objects in the opcodes of protocol 2: Counter, set, complex, bytes, a numpy scalar, a Path, a partial with its
  // state, an argparse Namespace, the result of a call of os.system, and a global without a call.
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
    const tensor::Weights weights = parse(zip_with("\x80\2}("s + word("o") + object + x + "u."));
    EXPECT_THAT(tensor::to_floats(weights.at("x")), ElementsAre(1, 2, 3, 4)) << object;
    EXPECT_TRUE(weights.unreadable.empty()) << object;
  }
  // A tensor that only foreign code could create.
  const std::string made = "cmy.code\nrebuild\n(" + storage("0", 4) + number(1) + "tR";
  const tensor::Weights weights = parse(zip_with("\x80\2}("s + word("t") + made + x + "u."));
  EXPECT_EQ(weights.tensors.size(), 1U);
  EXPECT_EQ(weights.unreadable.at("t"), "created by a call of 'my.code.rebuild', which effnet does not execute");
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
  // Besides the weights ("model"), the file has a dict that contains itself ("net").
  EXPECT_THAT(names(at("model") + word("net") + "}q\1" + word("net") + "h\1s"), ElementsAre("model.module.w"));
  EXPECT_THAT(failure(zip_with("\x80\2}("s + at("other") + "u.")),
              HasSubstr("no state dict in this file (got the keys 'other', expected a dict of tensors, at the top or"));
  EXPECT_THAT(failure(zip_with("\x80\2K\1."s)), HasSubstr("no state dict in this file (got another value"));
  EXPECT_THAT(failure(zip_with("\x80\2cmy\nNet\n)\x81}b."s)), HasSubstr("(got an object of class 'my.Net'"));
  EXPECT_THAT(failure(zip_with("\x80\2}"s + word("model") + "cmy\nNet\n)\x81}bs.")),
              HasSubstr("(got the keys 'model' (an object of class 'my.Net')"));
  const std::string one = tensor(storage("0", 4), 0, {1}, {1});
  EXPECT_THAT(failure(zip_with("\x80\2}("s + word("w") + one + word("w") + one + "u.")),
              HasSubstr("tensor 'w': duplicate name"));
}

}  // namespace
}  // namespace effnet::formats
