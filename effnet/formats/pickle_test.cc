#include "effnet/formats/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "effnet/base/error.h"

namespace effnet::formats {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

constexpr std::array<std::string_view, 2> kKnownGlobals{"collections.OrderedDict", "torch.FloatStorage"};

// The values are views of the text, so both are kept together.
struct Parsed {
  std::string text;
  Pickle pickle;
  const PickleValue& root() const { return pickle[pickle.root]; }
  const PickleValue& operator[](std::size_t i) const { return pickle.item(root(), i); }
};

Parsed parse(std::string text) {
  Parsed parsed{std::move(text), {}};
  parsed.pickle = parse_pickle(std::as_bytes(std::span(parsed.text)), kKnownGlobals);
  return parsed;
}

std::string failure(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

// Four pickles of the value (1, 300, -2, 2**40, 0.5, None, True, "ä", b"x", [1], {"k": (1,)}). They use the opcodes of
// protocols 0 and 1 (together), 2, 4 and 5. Python loads each of them as this value, with two exceptions: instead of
// b"x", the first gives "x", and the last gives bytearray(b"x").
const std::array<std::string, 4> kSameValue{
    "(I1\nI300\nI-2\nL1099511627776L\nG?\xe0\0\0\0\0\0\0NI01\nX\2\0\0\0\xc3\xa4U\1x(lp0\nI1\na(dp1\nX\1\0\0\0k(I1\ntst."s,
    "\x80\2(K\1M,\1J\xfe\xff\xff\xff\x8a\6\0\0\0\0\0\1G?\xe0\0\0\0\0\0\0N\x88X\2\0\0\0\xc3\xa4q\0C\1xq\1]q\2K\1a}q\3"
    "X\1\0\0\0kq\4K\1\x85q\5stq\6."s,
    "\x80\4\x95\x3b\0\0\0\0\0\0\0(K\1M,\1J\xfe\xff\xff\xff\x8a\6\0\0\0\0\0\1G?\xe0\0\0\0\0\0\0N\x88\x8c\2\xc3\xa4\x94"
    "C\1x\x94]\x94K\1a}\x94\x8c\1k\x94K\1\x85\x94s\x94t\x94."s,
    "\x80\5(K\1M,\1J\xfe\xff\xff\xff\x8a\6\0\0\0\0\0\1G?\xe0\0\0\0\0\0\0N\x88\x8d\2\0\0\0\0\0\0\0\xc3\xa4"
    "\x96\1\0\0\0\0\0\0\0x](K\1e}(\x8c\1kK\1\x85ut."s,
};

TEST(Pickle, ReadsValuesOfAllProtocols) {
  for (const std::string& text : kSameValue) {
    const Parsed parsed = parse(text);
    ASSERT_EQ(parsed.root().kind(), PickleKind::tuple) << text;
    ASSERT_EQ(parsed.root().items().size(), 11U);
    EXPECT_EQ(parsed[0].integer(), 1);
    EXPECT_EQ(parsed[1].integer(), 300);
    EXPECT_EQ(parsed[2].integer(), -2);
    EXPECT_EQ(parsed[3].integer(), std::int64_t{1} << 40);
    EXPECT_EQ(parsed[4].kind(), PickleKind::real);
    EXPECT_EQ(parsed[5].kind(), PickleKind::none);
    EXPECT_EQ(parsed[6].kind(), PickleKind::boolean);
    EXPECT_EQ(parsed[6].integer(), 1);
    EXPECT_EQ(parsed[7].text(), "ä");
    EXPECT_EQ(parsed[8].raw(), "x");
    EXPECT_EQ(parsed.pickle.item(parsed[9], 0).integer(), 1);
    const PickleValue* value = parsed.pickle.find(parsed[10], "k");
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(parsed.pickle.item(*value, 0).integer(), 1);
    EXPECT_EQ(parsed.pickle.find(parsed[10], "other"), nullptr);
    EXPECT_EQ(parsed.pickle.consumed, text.size());
  }
}

TEST(Pickle, ReadsIntegersOfEveryLength) {
  EXPECT_EQ(parse("\x8a\0."s).root().integer(), 0);
  EXPECT_EQ(parse("\x8a\1\xff."s).root().integer(), -1);
  EXPECT_EQ(parse("\x8a\2\xff\0."s).root().integer(), 255);
  EXPECT_EQ(parse("\x8b\1\0\0\0\x80."s).root().integer(), -128);
  EXPECT_EQ(parse("\x8a\x08\0\0\0\0\0\0\0\x80."s).root().integer(), std::numeric_limits<std::int64_t>::min());
  const Parsed big = parse("\x8a\x09\0\0\0\0\0\0\0\0\1."s);
  EXPECT_EQ(big.root().kind(), PickleKind::big_integer);
  EXPECT_THROW(big.root().integer(), Error);
}

TEST(Pickle, OrderedDictsAreDicts) {
  for (const std::string& text : {"\x80\2"s
                                  "ccollections\nOrderedDict\n)R(U\1aK\1U\1bK\2u}b."s,  // Python 3, with state
                                  "\x80\2"s
                                  "ccollections\nOrderedDict\n](](U\1aK\1e](U\1bK\2ee\x85R."s,  // Python 2
                                  "\x80\4\x8c\x0b"s
                                  "collections\x8c\x0bOrderedDict\x93)R(\x8c\1aK\1\x8c\1bK\2u."s}) {
    const Parsed parsed = parse(text);
    ASSERT_EQ(parsed.root().kind(), PickleKind::dict) << text;
    ASSERT_EQ(parsed.root().items().size(), 4U);
    EXPECT_EQ(parsed.pickle.find(parsed.root(), "b")->integer(), 2);
  }
}

TEST(Pickle, RecordsCallsAndPersistentIds) {
  const Parsed parsed = parse(
      "\x80\2"s
      "ctorch\nFloatStorage\nq\0K\1\x85Rh\0Q\x86."s);
  EXPECT_EQ(parsed[0].kind(), PickleKind::object);
  EXPECT_EQ(parsed.pickle.item(parsed[0], 0).raw(), "torch.FloatStorage");
  EXPECT_EQ(parsed[1].kind(), PickleKind::persistent);
  EXPECT_EQ(parsed.pickle.item(parsed[1], 0).kind(), PickleKind::global);
}

TEST(Pickle, ForeignGlobalsHaveNoMeaning) {
  for (const std::string& text : {"cos\nsystem\n(U\2lstR."s, "\x80\4\x8c\2os\x8c\6system\x93(\x8c\2lstR."s}) {
    const Parsed parsed = parse(text);
    EXPECT_EQ(parsed.root().kind(), PickleKind::object);
    EXPECT_EQ(parsed[0].kind(), PickleKind::foreign);
    EXPECT_EQ(parsed.pickle.item(parsed[0], 0).text(), "os");
    EXPECT_EQ(parsed.pickle.item(parsed[0], 1).text(), "system");
  }
  // Variations of known names: split differently into module and name, or with a character more or less.
  for (const std::string& text :
       {"ccollections.OrderedDict\n\n."s, "c\ncollections.OrderedDict\n."s, "ccollections\nOrderedDictX\n."s,
        "ccollections\nrderedDict\n."s, "ctorch\nFloatStorage.__reduce__\n."s, "c\n\n."s}) {
    EXPECT_EQ(parse(text).root().kind(), PickleKind::foreign) << text;
  }
  // The result of a call may be called again (partial), and elements may be added to it (Counter).
  EXPECT_EQ(failure("cfunctools\npartial\n(NtR(NtR."s), "no error");
  EXPECT_EQ(failure("ccollections\nCounter\n}\x85R}b(K\1K\2u."s), "no error");
  EXPECT_THAT(failure("N(NtR."s), HasSubstr("a call of a value that is not a function or class"));
  EXPECT_THAT(failure("(ios\nsystem\n."s), HasSubstr("opcode 0x69"));  // INST
  EXPECT_THAT(failure("\x82\1."s), HasSubstr("opcode 0x82"));          // EXT1
}

TEST(Pickle, RejectsMalformedPickles) {
  for (const std::string& text : {""s,
                                  "."s,
                                  "K"s,
                                  "\x80\6N."s,
                                  "N"s,
                                  "\x85."s,
                                  "t."s,

                                  "h\0."s,
                                  "Nq\x05."s,
                                  "Nr\xff\xff\xff\xff."s,
                                  "U\5abc."s,
                                  "X\xff\xff\xff\xff"s
                                  "abc."s,
                                  "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s,
                                  "\x8b\xff\xff\xff\xff."s,
                                  "\x8a\5\1."s,
                                  "}(Nu."s,
                                  "}(NNNu."s,
                                  "NNa."s,
                                  "N(NNu."s,
                                  "NN\x93."s,
                                  "NNR."s,
                                  "I1x\n."s,
                                  "I99999999999999999999\n."s,
                                  "F.\n."s,
                                  "I1"s,
                                  "\x95\xff\0\0\0\0\0\0\0N."s,
                                  "b."s,
                                  "Nb."s,
                                  "(NQ1."s,
                                  "S'a\n."s,
                                  "V\\u0041\n."s,
                                  "(K\1R."s,
                                  "ctorch\nFloatStorage\nNR."s,
                                  "ccollections\nOrderedDict\n](Nee\x85R."s}) {
    EXPECT_NE(failure(text), "no error") << ::testing::PrintToString(text);
  }
}

TEST(Pickle, AcceptsSelfReference) {
  const Parsed list = parse("]q\0h\0a."s);  // x = []; x.append(x)
  EXPECT_EQ(&list[0], &list.root());
  const Parsed dict = parse("}q\0U\1ah\0s."s);
  EXPECT_EQ(dict.pickle.find(dict.root(), "a"), &dict.root());
}

TEST(Pickle, AcceptsDeepNesting) {
  const std::size_t levels = 1'000'000;
  const Parsed tuples = parse("N" + std::string(levels, '\x85') + ".");
  EXPECT_EQ(tuples.root().kind(), PickleKind::tuple);
  parse(std::string(100'000, ']') + std::string(99'999, 'a') + ".");
  parse("N" + std::string(100'000, 'Q') + ".");
  EXPECT_NE(failure(std::string(levels, '(')), "no error");
}

TEST(Pickle, LimitsTheNumberOfValues) {
  const std::size_t most = std::size_t{4} << 20;
  EXPECT_THAT(failure("N" + std::string(most, '2')), HasSubstr("more than 4194304 values"));
  EXPECT_THAT(failure(std::string(most + 1, '(')), HasSubstr("more than 4194304 values"));
  // 3000 calls of OrderedDict with one shared list of 1000 pairs. Each call copies the list, so its pairs are counted.
  std::string shared = "](";
  shared += "NN\x86q\1"s;
  for (int i = 0; i < 999; ++i) shared += "h\1"s;
  shared += "e\x85q\2"s;
  for (int i = 0; i < 3000; ++i) shared += "ccollections\nOrderedDict\nh\2R"s;
  EXPECT_THAT(failure(shared), HasSubstr("more than 4194304 values"));
}

TEST(Pickle, SharedValuesAreNotCopied) {
  // Ten levels of tuples, each with ten references to the level below: copies would give 10^10 values.
  std::string text = "Nq\0"s;
  for (char level = 0; level < 10; ++level) {
    text += "("s;
    for (int i = 0; i < 10; ++i) text += "h"s + level;
    text += "tq"s + static_cast<char>(level + 1);
  }
  EXPECT_LT(parse(text + ".").pickle.values.size(), 20U);
}

TEST(Pickle, EveryTruncationIsRejected) {
  for (const std::string& text : kSameValue) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_NE(failure(text.substr(0, size)), "no error") << size;
    }
  }
}

}  // namespace
}  // namespace effnet::formats
