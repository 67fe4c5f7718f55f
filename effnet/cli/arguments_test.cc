#include "effnet/cli/arguments.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
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

TEST(Arguments, OutputFiles) {
  EXPECT_TRUE(is_stdout("-o", "-", {}));
  EXPECT_FALSE(is_stdout("-o", "./-", {}));
  EXPECT_FALSE(is_stdout("-o", "", {true, false, {}}));
  EXPECT_EQ(refusal([] {
              is_stdout("-o", "-", {true, false, {}});
            }),
            "2 -o - cannot be combined with --json: both write to stdout (got both, expected one of them)");
  check_no_stdout("--pth", "./-");
  EXPECT_EQ(refusal([] { check_no_stdout("--pth", "-"); }),
            "2 --pth: this format cannot be written to stdout (got -, expected a file)");

  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string input = (folder.path() / "a").string();
  check_not_input("-o", input, input);  // the file does not exist yet
  std::ofstream(input) << "x";
  std::filesystem::create_hard_link(input, folder.path() / "b");
  check_not_input("-o", (folder.path() / "c").string(), input);
  for (const char* name : {"a", "b", "../"}) {
    const std::string file = (folder.path() / name).string();
    const bool same = file.ends_with("a") || file.ends_with("b");
    EXPECT_EQ(
        refusal([&] { check_not_input("-o", file, input); }),
        same ? fmt::format("2 -o: the output file is the input file (got '{}', expected another file)", file) : "");
  }
}

TEST(Arguments, AnOutputReplacesNothingThatIsReadInAFolder) {
  const TemporaryFolder folder;
  const auto at = [&](const std::string& name) { return (folder.path() / name).string(); };
  for (const char* name : {"run", "images/class"}) std::filesystem::create_directories(at(name));
  for (const char* name :
       {"run/config.toml", "run/metrics.csv", "run/model.safetensors", "run/split.csv", "run/lock", "run/report.html",
        "run/map.png", "images/class/a.png", "images/labels.csv", "images/page.html", "other.png"})
    std::ofstream(at(name)) << "x";
  std::filesystem::create_symlink(at("run"), at("link"));
  const auto refused = [&](const std::string& file, const std::string& input) {
    return !refusal([&] { check_not_input("-o", at(file), at(input)); }).empty();
  };
  for (const char* name : {"config.toml", "model.safetensors", "split.csv", "lock"}) {
    EXPECT_TRUE(refused(std::string("run/") + name, "run")) << name;
    EXPECT_TRUE(refused(std::string("link/") + name, "run")) << name;
    EXPECT_TRUE(refused(std::string("run/") + name, "link/")) << name;
  }
  EXPECT_TRUE(refused("images/class/a.png", "images"));
  EXPECT_TRUE(refused("images/labels.csv", "images"));
  for (const char* name : {"run/report.html", "run/map.png", "run/new.safetensors", "other.png", "images/class/a.png"})
    EXPECT_FALSE(refused(name, "run")) << name;
  EXPECT_FALSE(refused("images/page.html", "images"));
  EXPECT_FALSE(refused("other.png", "none"));
}

TEST(Arguments, TwoOutputsAreTwoFiles) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "a.toml").string();
  const std::string same = (folder.path() / "." / "a.toml").string();
  EXPECT_EQ(refusal([&] { check_two_files("-o", file, "--weights", same); }),
            fmt::format("2 -o and --weights are the same file (got '{}', expected two files)", file));
  check_two_files("-o", file, "--weights", file + "x");
  check_two_files("-o", "", "--weights", "");
}

TEST(Arguments, Extensions) {
  for (const char* good : {"", "-", "a.toml", "/dev/stdout", "./b.c.toml"}) check_extension("-o", good, ".toml");
  for (const char* wrong : {"best", "a.tom", "a.toml/b", ".toml"}) {
    EXPECT_EQ(refusal([&] { check_extension("-o", wrong, ".toml"); }),
              fmt::format("2 -o: unknown kind of file (got '{}', expected FILE.toml)", wrong));
  }
}

TEST(Arguments, AnArchFileReplacesOnlyArchFiles) {
  const TemporaryFolder folder;
  const auto refused = [&](const char* name, std::string_view text) {
    const std::string file = (folder.path() / name).string();
    write_text(file, text);
    return refusal([&] { check_arch_output("-o", file); });
  };
  check_arch_output("-o", (folder.path() / "new.toml").string());
  check_arch_output("-o", "-");
  EXPECT_EQ(refused("arch.toml", arch::print(arch::variant("efficientnet_b0").spec)), "");
  EXPECT_EQ(refused("empty.toml", ""), "") << "mktemp makes one";
  const char* const space = "base = \"mobilenet_v2\"\nname = \"mine\"\n[choices]\nkernel = [3, 5]\n";
  for (const char* text : {space, "[train]\nepochs = 3\n", "no TOML"}) {
    EXPECT_THAT(refused("other.toml", text),
                testing::StartsWith("2 -o: the file that is there is no arch file (got '"));
  }
  EXPECT_THAT(refused("arch.txt", ""), testing::StartsWith("2 -o: unknown kind of file"));
}

}  // namespace
}  // namespace effnet::cli
