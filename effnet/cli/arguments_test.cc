#include "effnet/cli/arguments.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "effnet/cli/cli_testing.h"

namespace effnet::cli {
namespace {

TEST(Arguments, WholeNumbers) {
  EXPECT_EQ(parse_integer("--top", "1", 1, 1024), 1);
  EXPECT_EQ(parse_integer("--top", "1024", 1, 1024), 1024);
  EXPECT_EQ(parse_integer("--class", "0", 0, 7), 0);
  for (const char* wrong : {"", "0", "1025", "1.5", " 1", "1 ", "+1", "0x10", "99999999999", "-1", "one"}) {
    EXPECT_EQ(refusal([&] { parse_integer("--top", wrong, 1, 1024); }),
              fmt::format("2 --top: wrong value (got '{}', expected a whole number from 1 to 1024)", wrong));
  }
}

TEST(Arguments, Lists) {
  EXPECT_EQ(parse_counts("--batch", "8", 4096), std::vector{8});
  EXPECT_EQ(parse_counts("--batch", "1,8,4096", 4096), (std::vector{1, 8, 4096}));
  struct Wrong {
    const char *text, *part;
  };
  for (const Wrong& wrong : {Wrong{"1,,8", ""}, {"1,", ""}, {",", ""}, {"1,4097", "4097"}, {"1;8", "1;8"}}) {
    EXPECT_EQ(refusal([&] { parse_counts("--batch", wrong.text, 4096); }),
              fmt::format("2 --batch: wrong value (got '{}', expected a whole number from 1 to 4096)", wrong.part));
  }
  EXPECT_EQ(split_list(""), std::vector<std::string>{""});
  EXPECT_EQ(split_list("a,,b,"), (std::vector<std::string>{"a", "", "b", ""}));
}

TEST(Arguments, Epochs) {
  EXPECT_EQ(parse_epochs("--epochs", "6"), std::vector<double>{6});
  EXPECT_EQ(parse_epochs("--epochs", "0.5,2,6"), (std::vector<double>{0.5, 2, 6}));
  for (const char* wrong : {"6,2", "2,2"}) {
    EXPECT_EQ(refusal([&] { parse_epochs("--epochs", wrong); }),
              fmt::format("2 --epochs: each round needs more than the one before (got '{}', expected a list such as "
                          "2,6,18)",
                          wrong));
  }
  EXPECT_EQ(refusal([] { parse_epochs("--budgets", "1,2k"); }),
            "2 --budgets: wrong number of epochs (got '2k', expected a number above 0, at most 1000000)");
  for (const char* wrong : {"", "2,", "0,1", "-1", "two", "2M", "2MiB", "2ms", "nan", "1e9", "2 "}) {
    EXPECT_EQ(refusal([&] { parse_epochs("--epochs", wrong); })[0], '2') << wrong;
  }
}

TEST(Arguments, Seeds) {
  EXPECT_EQ(parse_seed("0"), 0U);
  EXPECT_EQ(parse_seed("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  for (const char* wrong : {"", "-1", "18446744073709551616", "7.0", "x"}) {
    EXPECT_EQ(
        refusal([&] { parse_seed(wrong); }),
        fmt::format("2 --seed: wrong value (got '{}', expected a whole number from 0 to 18446744073709551615)", wrong));
  }
}

TEST(Arguments, Triples) {
  EXPECT_EQ(parse_triple("--mean", "0.485,0.456,0.406", -1e6), (std::array{0.485, 0.456, 0.406}));
  EXPECT_EQ(parse_triple("--mean", "-1,0,1e6", -1e6), (std::array{-1.0, 0.0, 1e6}));
  for (const char* wrong :
       {"", "1", "1,2", "1,2,3,4", "1,,3", "1,2,x", "1,2,3x", "0,1,1", "-1,1,1", "1,1,nan", "1,1,1e7", "1;2;3"}) {
    EXPECT_EQ(refusal([&] { parse_triple("--std", wrong, 0); }),
              fmt::format("2 --std: wrong value (got '{}', expected three numbers such as 0.485,0.456,0.406)", wrong));
  }
}

TEST(Arguments, CostsHaveTheirUnits) {
  struct Case {
    const char *cost, *text;
    double value;
  };
  for (const auto& [cost, text, value] : {Case{"macs", "390M", 390e6},
                                          {"macs", "1.8G", 1.8e9},
                                          {"macs", "1e9", 1e9},
                                          {"params", "2k", 2000},
                                          {"params", "7", 7},
                                          {"memory", "64MiB", 67108864},
                                          {"memory", "20MB", 20e6},
                                          {"memory", "20M", 20e6},
                                          {"memory", "3B", 3},
                                          {"memory", "1TiB", 1099511627776.0},
                                          {"latency", "12.5", 12.5},
                                          {"latency", "12ms", 12},
                                          {"latency", "12 ms", 12},
                                          {"latency", "60000", 60000}}) {
    EXPECT_EQ(parse_cost("--target", text, cost), value) << cost << " " << text;
  }
}

TEST(Arguments, CostsRefuseOtherUnits) {
  const auto refused = [](const char* text, const char* cost) {
    return refusal([&] { parse_cost("--target", text, cost); });
  };
  EXPECT_EQ(refused("5MiB", "macs"),
            "2 --target: wrong value (got '5MiB', expected a number of MACs above 0, such as 390M or 1.8G)");
  EXPECT_EQ(refused("5ms", "params"),
            "2 --target: wrong value (got '5ms', expected a number of parameters above 0, such as 390M or 1.8G)");
  EXPECT_EQ(refused("5ms", "memory"),
            "2 --target: wrong value (got '5ms', expected a number of bytes above 0, such as 20MB or 64MiB)");
  EXPECT_EQ(refused("5M", "latency"),
            "2 --target: wrong value (got '5M', expected a number of milliseconds above 0 and at most 60000, such as "
            "12 or 12ms)");
  for (const char* cost : {"macs", "memory", "latency"}) {
    for (const char* wrong : {"", "M", "1.8Q", "-3", "0", "nan", "inf", "1GG", "0x10", "1s"})
      EXPECT_EQ(refused(wrong, cost)[0], '2') << cost << " " << wrong;
  }
  EXPECT_EQ(refused("60001", "latency")[0], '2');
  EXPECT_EQ(refused("3B", "macs")[0], '2');
}

TEST(Arguments, Resolutions) {
  EXPECT_EQ(parse_resolution("224"), (Size{224, 224}));
  EXPECT_EQ(parse_resolution("300x200"), (Size{300, 200}));
  EXPECT_EQ(parse_resolution("1x65535"), (Size{1, 65535}));
  for (const char* wrong : {"", "x", "224x", "x3", "0", "-5", "65536", "1x2x3", "224px", "1X2"}) {
    EXPECT_EQ(refusal([&] { parse_resolution(wrong); }),
              fmt::format("2 --resolution: not a size (got '{}', expected pixels such as 224, or HxW such as 300x200)",
                          wrong));
  }
}

TEST(Arguments, OptionsRejectWrongValuesDuringParsing) {
  CLI::App app;
  int number = 5;
  std::vector<int> numbers{1};
  std::uint64_t seed = 0;
  add_number(app, "--top", number, 1, 10, "");
  add_numbers(app, "--batch", numbers, 10, "");
  add_seed(app, seed, "");
  app.parse("--top 7 --batch 2,3 --seed 11", false);
  EXPECT_EQ(number, 7);
  EXPECT_EQ(numbers, (std::vector{2, 3}));
  EXPECT_EQ(seed, 11U);
  EXPECT_EQ(refusal([&] { app.parse("--top 11", false); }),
            "2 --top: wrong value (got '11', expected a whole number from 1 to 10)");
}

}  // namespace
}  // namespace effnet::cli
