#include "effnet/paper/results.h"

#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/base/file.h"
#include "effnet/base/lines.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"
#include "effnet/paper/layout.h"

namespace effnet::paper {
namespace {

constexpr std::string_view kTransfer =
    "[[measured]]\ndataset = \"Flowers\"\nbackbone = \"efficientnet_lite0\"\naccuracy = 96.5\nmetric = \"top-1\"\n"
    "images = 6149\ndate = \"2026-01-31\"\npage = \"docs/x.md\"\n";

// The example in the head of docs/results/scaling.toml.
std::string example() {
  const std::string path = std::string(EFFNET_SOURCE_DIR) + "/docs/results/scaling.toml";
  const std::string file = read_text(path);
  std::string text;
  for (const std::string_view line : text_lines(file, path)) {
    if (line.starts_with("#   ")) text += std::string(line.substr(4)) + "\n";
  }
  return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// The code and the message of the Error that parsing throws; empty if it throws none.
template <class Parse>
std::string refusal(Parse parse, const std::string& text) {
  try {
    parse(text, "t.toml");
  } catch (const Error& error) {
    return fmt::format("{} {}", static_cast<int>(error.code()), error.what());
  }
  return {};
}

TEST(Results, ReadsTransferResults) {
  const auto results = parse_transfer(kTransfer, "t.toml");
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].note, "");
  // Lite0 has 4,652,008 parameters, of which the classifier has 1281 x 1000 (docs/reference/lite_weights.md).
  EXPECT_EQ(results[0].params_without_classifier, 3371008);
  Context context;
  context.results.transfer = results;
  EXPECT_EQ(json(table5(context))["measured"][0].dump(),
            R"({"name":"efficientnet_lite0","dataset":"Flowers","params":3371008,"accuracy":96.5,"metric":"top-1",)"
            R"("images":6149,"date":"2026-01-31","page":"docs/x.md","note":null,)"
            R"("source":{"params":"computed","accuracy":"measured","images":"measured"}})");
}

TEST(Results, RefusesWrongTransferResults) {
  const auto refused = [](std::string_view from, std::string_view to) {
    return refusal(parse_transfer, replaced(std::string(kTransfer), from, to));
  };
  EXPECT_EQ(refusal(parse_transfer, ""), "");
  EXPECT_EQ(refused("2026-01-31", "31.1.2026").rfind("3 t.toml:7:", 0), 0U) << refused("2026-01-31", "31.1.2026");
  EXPECT_NE(refused("2026-01-31", "2026-02-30"), "");
  EXPECT_NE(refused("lite0", "lite9"), "");
  EXPECT_NE(refused("96.5", "196.5"), "");
  EXPECT_NE(refused("6149", "0"), "");
  EXPECT_NE(refused("page", "pages"), "");
  EXPECT_NE(refused("dataset = \"Flowers\"\n", ""), "");
}

TEST(Results, TheExampleOfTheFileIsValid) {
  const auto results = parse_scaling(example(), "t.toml");
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].rule, "compound");
  ASSERT_TRUE(results[0].spec);
  EXPECT_EQ(results[0].spec->stages, arch::variant("efficientnet_b3").spec.stages);
}

TEST(Results, RefusesWrongScalingResults) {
  const auto refused = [](std::string_view from, std::string_view to) {
    return refusal(parse_scaling, replaced(example(), from, to));
  };
  EXPECT_EQ(refusal(parse_scaling, ""), "");
  EXPECT_EQ(refused("10711602", "10711603").rfind("3 t.toml:9:", 0), 0U) << refused("10711602", "10711603");
  EXPECT_NE(refused("10711602", "10711603").find("expected 10711602"), std::string::npos);
  EXPECT_NE(refused("classes = 10", "classes = 100"), "");
  EXPECT_NE(refused("1825620752", "-1"), "");
  EXPECT_NE(refused("1825620752", "99999999999999999999"), "");
  EXPECT_NE(refused("depth = 1.4", "depth = nan"), "");
  EXPECT_NE(refused("depth = 1.4", "depth = 100.5"), "");
  EXPECT_NE(refused("width = 1.2", "width = 0"), "");
  EXPECT_NE(refused("width = 1.2", "width = 99.0"), "");
  EXPECT_NE(refused("resolution = 300", "resolution = 0"), "");
  EXPECT_NE(refused("efficientnet_b0", "amoebanet_b"), "");  // cannot be scaled
  EXPECT_NE(refused("91.25", "101"), "");
  EXPECT_NE(refused("seed = 1", "seed = -1"), "");
  EXPECT_NE(refused("2026-12-24", "yesterday"), "");
  EXPECT_NE(refused("rule", "rules"), "");
  EXPECT_NE(refusal(parse_scaling, example() + example()).find("a second row for the same run"), std::string::npos);
}

// The counts of an arch file that is not a named network cannot be checked, but its name must be in the file's list.
TEST(Results, ABaseIsANamedNetworkOrInTheListOfTheFile) {
  const std::string mine = replaced(replaced(example(), "efficientnet_b0", "mine"), "10711602", "5");
  EXPECT_EQ(refusal(parse_scaling, "bases = [\"other\", \"mine\"]\n" + mine), "");
  EXPECT_EQ(refusal(parse_scaling, mine),
            "3 t.toml:2:8: measured[0].base: unknown name (got 'mine', expected a name from 'effnet models' or of the "
            "file's list "
            "bases)");
  EXPECT_EQ(refusal(parse_scaling, "bases = [\"other\"]\n" + mine)
                .rfind("3 t.toml:3:8: measured[0].base: unknown name (got", 0),
            0U);
  EXPECT_NE(refusal(parse_scaling, "bases = \"mine\"\n" + mine), "");
  EXPECT_NE(refusal(parse_scaling, "base = [\"mine\"]\n" + mine), "");
}

TEST(Results, TheListOfBasesBelowATableIsNamed) {
  const std::string mine = replaced(replaced(example(), "efficientnet_b0", "mine"), "10711602", "5");
  try {
    parse_scaling(mine + "bases = [\"mine\"]\n", "t.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("measured[0].bases: in the table of a run"), std::string::npos)
        << error.what();
    EXPECT_EQ(error.hint(), "move the line with bases before the first table of the file");
  }
}

// The error has the hint of the nearest known name, or says how a network of one's own is declared.
TEST(Results, AnUnknownNameHasAHint) {
  const auto hint = [](const std::string& text) {
    try {
      parse_scaling(text, "t.toml");
    } catch (const Error& error) {
      return error.hint();
    }
    return std::string("no error");
  };
  EXPECT_EQ(hint(replaced(example(), "\"compound\"", "\"compond\"")), "did you mean compound?");
  EXPECT_EQ(hint(replaced(example(), "efficientnet_b0", "eficientnet_b0")), "did you mean efficientnet_b0?");
  EXPECT_EQ(hint(replaced(example(), "efficientnet_b0", "mine")),
            "for a network of your own, write bases = [\"mine\"] before the first table of the file");
}

TEST(Results, AnUnknownRuleIsRefusedWithTheKnownOnes) {
  const auto refused = [](std::string_view rule) {
    return refusal(parse_scaling, replaced(example(), "\"compound\"", rule));
  };
  EXPECT_EQ(refused("\"widht\""),
            "3 t.toml:4:8: measured[0].rule: unknown name (got 'widht', expected compound, uniform, fast, width, "
            "depth, resolution, "
            "capped, tinynet or base)");
  EXPECT_EQ(refused("\"uniform\""), "");
  EXPECT_EQ(refused("\"base\""), "");
}

// A row of a scaled B0 with the counts of `spec`. `more`: further lines.
std::string row_of(std::string_view rule, double depth, double width, const arch::ArchSpec& spec,
                   const std::string& more = {}) {
  const graph::Costs costs = costs_of(spec, 10);
  return fmt::format(
      "[[measured]]\nbase = \"efficientnet_b0\"\ndataset = \"CIFAR-10\"\nrule = \"{}\"\ndepth = {}\nwidth = {}\n"
      "resolution = {}\nclasses = 10\nparams = {}\nmacs = {}\ntop1 = 90.5\ndate = \"2026-12-24\"\npage = \"x\"\n{}",
      rule, depth, width, spec.resolution, costs.params, costs.macs, more);
}

// tinynet keeps stem and head, and rounds the depth to the nearest number. The published TinyNets are scaled B0s.
TEST(Results, CountsAreThoseOfTheRule) {
  const arch::ArchSpec &a = arch::variant("tinynet_a").spec, &e = arch::variant("tinynet_e").spec;
  EXPECT_EQ(refusal(parse_scaling, row_of("tinynet", 1.2, 1.0, a) + row_of("tinynet", 0.6, 0.51, e)), "");
  EXPECT_NE(refusal(parse_scaling, row_of("compound", 0.6, 0.51, e)).find("params: wrong value"), std::string::npos);
  const arch::ArchSpec& b3 = arch::variant("efficientnet_b3").spec;
  EXPECT_EQ(refusal(parse_scaling, row_of("compound", 1.4, 1.2, b3)), "");
  EXPECT_NE(refusal(parse_scaling, row_of("tinynet", 1.4, 1.2, b3)).find("params: wrong value"), std::string::npos);
}

// capped also makes the later stages deeper.
TEST(Results, LateDepthIsAMultiplierOfTheFile) {
  const arch::Scaling capped =
      arch::scaled_by(arch::variant("efficientnet_b0").spec, 7, {&arch::rule("capped"), {}, {}});
  ASSERT_GT(capped.late_depth, 1.5);
  const auto row = [&](const std::string& more) {
    return row_of("capped", capped.depth, capped.width, capped.spec, more);
  };
  const std::string late = fmt::format("late_depth = {}\n", capped.late_depth);
  EXPECT_EQ(refusal(parse_scaling, row(late)), "");
  EXPECT_EQ(parse_scaling(row(late), "t.toml")[0].spec->stages, capped.spec.stages);
  EXPECT_NE(refusal(parse_scaling, row("")).find("params: wrong value"), std::string::npos);
  EXPECT_NE(refusal(parse_scaling, row("late_depth = 0.5\n")).find("late_depth"), std::string::npos);
}

// A run that is counted twice would change the mean and the number of runs.
TEST(Results, ARunOfAnotherFileIsASecondRow) {
  Results results;
  add_scaling(results, example(), "first.toml");
  try {
    add_scaling(results, example(), "second.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_STREQ(error.what(), "second.toml:2:8: measured[0].base: a second row for the same run (seed 1)");
    EXPECT_EQ(error.hint(),
              "effnet itself or another file has this run: leave the row out, or give its dataset another name");
  }
  add_scaling(results, replaced(example(), "CIFAR-10", "CIFAR-10 again"), "third.toml");
  add_scaling(results, replaced(example(), "seed = 1 ", "seed = 2 "), "fourth.toml");
  EXPECT_EQ(results.scaling.size(), 3U);
  Results built_in = embedded_results();
  const std::string path = std::string(EFFNET_SOURCE_DIR) + "/docs/results/scaling.toml";
  EXPECT_THROW(add_scaling(built_in, read_text(path), path), Error);
}

// Three seeds of a network: mean, lowest and highest. Sizes of a network of another base are only read.
TEST(Results, SeedsOfANetworkAreOneRow) {
  const std::string one = replaced(example(), "efficientnet_b0", "mine");
  const std::string bases = "bases = [\"mine\"]\n";
  const auto run = [&](const char* seed, const char* top1) {
    return replaced(replaced(one, "seed = 1 ", fmt::format("seed = {} ", seed)), "91.25", top1);
  };
  Context context;
  context.results.scaling = parse_scaling(bases + run("1", "70.0") + run("2", "73.0") + run("3", "71.5"), "t.toml");
  const auto networks = measured_networks(context.results.scaling);
  ASSERT_EQ(networks.size(), 1U);
  EXPECT_EQ(networks[0].runs, 3);
  EXPECT_DOUBLE_EQ(networks[0].mean, 71.5);
  const Json figure = json(figure8(context));
  ASSERT_EQ(figure["measured"].size(), 1U);
  EXPECT_EQ(figure["measured"][0]["top1"].dump(), R"({"mean":71.5,"low":70.0,"high":73.0})");
  EXPECT_EQ(figure["measured"][0]["source"]["top1"], "measured");
  const auto drawings = measured_drawings(context.results, {});
  ASSERT_EQ(drawings.size(), 1U);
  EXPECT_NE(drawings[0].svg.find("class=\"spread c0\""), std::string::npos);
  EXPECT_TRUE(measured_drawings(context.results, {"width"}).empty());
}

// The line of each rule goes through the base, which has no line of its own then.
TEST(Results, EachRuleBeginsAtTheBase) {
  Context context;
  const auto add = [&](const char* base, const char* rule, std::int64_t macs, double top1) {
    context.results.scaling.push_back({.base = base,
                                       .dataset = "d",
                                       .rule = rule,
                                       .date = {},
                                       .page = {},
                                       .note = {},
                                       .macs = macs,
                                       .top1_percent = top1,
                                       .spec = {}});
  };
  add("net", "base", 4'000'000, 60);
  add("net", "width", 16'000'000, 70);
  add("net", "depth", 1'000'000, 50);
  add("other", "base", 4'000'000, 60);
  const auto drawings = measured_drawings(context.results, {});
  ASSERT_EQ(drawings.size(), 2U);
  EXPECT_NE(drawings[0].svg.find(">width<"), std::string::npos);
  EXPECT_NE(drawings[0].svg.find(">depth<"), std::string::npos);
  EXPECT_EQ(drawings[0].svg.find(">base<"), std::string::npos);
  EXPECT_NE(drawings[1].svg.find("base"), std::string::npos);
  constexpr const char* kDot = "<circle class=\"dot";
  std::size_t dots = 0;  // two points for each of two rules
  for (std::size_t at = drawings[0].svg.find(kDot); at != std::string::npos; at = drawings[0].svg.find(kDot, at + 1))
    ++dots;
  EXPECT_EQ(dots, 4U) << drawings[0].svg;
  EXPECT_EQ(measured_drawings(context.results, {"width"}).size(), 1U);
}

// A result on ImageNet is shown beside the paper's value of the same network.
TEST(Results, MeasuredAccuracyOnImagenetIsShownBesideThePapers) {
  const graph::Costs b3 = costs_of(arch::variant("efficientnet_b3").spec);
  std::string text = replaced(replaced(example(), "CIFAR-10", "ImageNet"), "classes = 10", "classes = 1000");
  text = replaced(text, "10711602", std::to_string(b3.params));
  Context context;
  context.results.scaling = parse_scaling(replaced(text, "1825620752", std::to_string(b3.macs)), "t.toml");
  const Json document = json(table2(context));
  ASSERT_EQ(document["rows"].size(), 24U);
  for (const Json& row : document["rows"]) {
    EXPECT_EQ(row["top1"], row["name"] == "efficientnet_b3" ? Json(91.25) : Json()) << row["name"];
    EXPECT_EQ(row["source"].contains("top1"), row["name"] == "efficientnet_b3");
  }
}

TEST(Results, TheEmbeddedFilesAreValid) { EXPECT_NO_THROW(embedded_results()); }

}  // namespace
}  // namespace effnet::paper
