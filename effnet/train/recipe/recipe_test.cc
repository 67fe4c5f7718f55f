#include "effnet/train/recipe/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Failure {
  ErrorCode code = ErrorCode::internal;
  std::string text = "no error";  // message and hint
};
template <class Call>
Failure failure(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), std::string(error.what()) + "\n" + error.hint()};
  }
  return {};
}
Failure file_failure(std::string_view text) {
  return failure([&] { parse_recipe(text, "r.toml"); });
}
Failure set_failure(std::string_view text) {
  return failure([&] { parse_recipe("", "r.toml", {parse_override(text)}); });
}
Recipe with(std::string_view text) { return parse_recipe("", "r.toml", {parse_override(text)}); }

ModelSettings model_named(const std::string& name) {
  ModelSettings model;
  model.name = name;
  return model;
}

// Scripts rely on these names (docs/recipes.md).
TEST(Recipe, HasThePublicKeys) {
  std::set<std::string_view> keys;
  for (const Setting& setting : settings()) EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
  for (const std::string_view key : {"model.name",
                                     "model.init",
                                     "model.dropout",
                                     "model.drop_path",
                                     "model.classes",
                                     "data.resolution",
                                     "data.augment",
                                     "data.shuffle",
                                     "data.workers",
                                     "data.mixup",
                                     "data.cutmix",
                                     "data.erasing",
                                     "data.holdout",
                                     "train.epochs",
                                     "train.batch",
                                     "train.label_smoothing",
                                     "train.accumulate",
                                     "train.clip_norm",
                                     "train.precision",
                                     "train.time_budget",
                                     "seed",
                                     "optimizer.name",
                                     "optimizer.lr",
                                     "optimizer.lr_per_256",
                                     "optimizer.momentum",
                                     "optimizer.nesterov",
                                     "optimizer.decay",
                                     "optimizer.epsilon",
                                     "optimizer.weight_decay",
                                     "schedule.name",
                                     "schedule.warmup_epochs",
                                     "schedule.decay_epochs",
                                     "schedule.decay_rate",
                                     "ema.decay",
                                     "distributed.sync_bn",
                                     "checkpoint.every_steps"}) {
    EXPECT_TRUE(keys.contains(key)) << key;
  }
}

// Fails if two settings share a member or if a key changes the member of another key.
TEST(Recipe, EachSettingChangesItsOwnMember) {
  const std::string plain = print(Recipe{});
  for (const Setting& setting : settings()) {
    const std::string key(setting.key);
    std::string value;
    if (const auto* choice = std::get_if<Choice>(&setting.member)) {
      value = value_text(setting, Recipe{}) == fmt::format("\"{}\"", choice->names.back()) ? choice->names.front()
                                                                                           : choice->names.back();
    } else if (key == "model.name" || key == "model.init") {
      value = "x.safetensors";
    } else if (key == "train.time_budget") {
      value = "3m";
    } else if (expected_text(setting) == "true or false") {
      value = value_text(setting, Recipe{}) == "true" ? "false" : "true";
    } else {
      value = value_text(setting, Recipe{}).starts_with("1") ? "2" : "1";
      if (setting.range.high <= 1 && setting.range.low < 0.5) value = "0.5";
      if (key == "model.classes") value = "2";  // 1 is not accepted
    }
    const Recipe changed = with(key + "=" + value);
    EXPECT_EQ(print(parse_recipe(print(changed), "printed")), print(changed)) << key;
    const std::string text = value_text(setting, changed);
    EXPECT_TRUE(text == value || text == value + ".0" || text == fmt::format("\"{}\"", value)) << key << " " << text;
    EXPECT_NE(print(changed), plain) << key;
  }
}

// docs/training.md lists the settings that may change on --resume.
TEST(Recipe, ClassifiesSettingsByWhatMayChangeOnResume) {
  const auto of_kind = [](SettingKind kind) {
    std::set<std::string_view> keys;
    for (const Setting& setting : settings()) {
      if (setting.kind == kind) keys.insert(setting.key);
    }
    return keys;
  };
  using Keys = std::set<std::string_view>;
  EXPECT_EQ(of_kind(SettingKind::adjustable), (Keys{"optimizer.lr", "optimizer.lr_per_256", "schedule.warmup_epochs",
                                                    "train.clip_norm", "train.epochs", "train.patience"}));
  EXPECT_EQ(of_kind(SettingKind::operational),
            (Keys{"data.broken_limit", "train.time_budget", "train.validate_every", "train.fused",
                  "checkpoint.every_steps", "checkpoint.keep", "checkpoint.result", "expect.classes",
                  "expect.train_images", "expect.test_images", "expect.metric"}));
  EXPECT_EQ(of_kind(SettingKind::per_rank), Keys{"data.workers"});
  EXPECT_EQ(of_kind(SettingKind::model_file), (Keys{"model.name", "model.init"}));
  EXPECT_EQ(of_kind(SettingKind::data_folder), (Keys{"data.folder", "data.labels", "data.split"}));
}

TEST(Recipe, ReadsAFile) {
  const Recipe recipe =
      parse_recipe("seed = 7\n[model]\nname = \"efficientnet_b1\"\n[train]\nbatch = 64\nepochs = 2.5\n", "r.toml",
                   {{"train.batch", "32"}, {"data.augment", "flip"}});
  EXPECT_EQ(recipe.seed, 7U);
  EXPECT_EQ(recipe.model.name, "efficientnet_b1");
  EXPECT_EQ(recipe.train.batch, 32);
  EXPECT_EQ(recipe.train.epochs, 2.5);
  EXPECT_EQ(recipe.data.augment, vision::Augment::flip);
}

TEST(Recipe, FileErrorsNamePositionAndExpectedValue) {
  EXPECT_THAT(file_failure("[train]\nbach = 64\n").text,
              AllOf(HasSubstr("r.toml:2:1:"), HasSubstr("bach"), HasSubstr("did you mean batch")));
  EXPECT_THAT(file_failure("[tran]\nbatch = 64\n").text, HasSubstr("did you mean train"));
  EXPECT_THAT(file_failure("[train]\nbatch = 6.5\n").text, HasSubstr("r.toml:2:9:"));
  EXPECT_THAT(file_failure("[train]\nbatch = 0\n").text, HasSubstr("from 1 to"));
  EXPECT_THAT(file_failure("[data]\naugment = \"autoagument\"\n").text,
              AllOf(HasSubstr("r.toml:2:11:"), HasSubstr("randaugment")));
  EXPECT_THAT(file_failure("[train]\ntime_budget = \"20\"\n").text, HasSubstr("r.toml:2:15:"));
  EXPECT_THAT(file_failure("[train\n").text, HasSubstr("not valid TOML"));
  EXPECT_EQ(file_failure("[train]\nbach = 64\n").code, ErrorCode::input);
  EXPECT_EQ(file_failure("train = 3\n").code, ErrorCode::input);
  EXPECT_EQ(file_failure("[optimizer]\nmomentum = nan\n").code, ErrorCode::input);
}

TEST(Recipe, OverrideErrorsNameTheKey) {
  EXPECT_THAT(set_failure("train.bach=3").text,
              AllOf(HasSubstr("'train.bach'"), HasSubstr("did you mean train.batch")));
  EXPECT_THAT(set_failure("lr=3").text, HasSubstr("did you mean optimizer.lr?"));
  EXPECT_THAT(set_failure("nothing.like.it=3").text, HasSubstr("ema.decay"));
  for (const char* text : {"train.batch=", "train.batch=0", "train.batch=6.5", "train.batch=64x", "train.epochs=nan",
                           "train.epochs=-1", "data.shuffle=yes", "data.augment=all", "train.time_budget=20",
                           "model.name=", "seed=-1", "=3", "train.batch"}) {
    EXPECT_EQ(set_failure(text).code, ErrorCode::usage) << text;
  }
}

// Examples: zero epochs, a learning rate that is not a number, one class, a negative number other than the one that
// means "not set".
TEST(Recipe, RefusesNumbersWithoutMeaning) {
  for (const char* text :
       {"train.epochs=0",           "train.epochs=inf",      "train.validate_every=0",    "train.validate_every=0.5",
        "train.validate_every=nan", "train.accumulate=257",  "optimizer.lr=-0.5",         "optimizer.lr=nan",
        "optimizer.lr_per_256=-2",  "optimizer.decay=-0.1",  "optimizer.epsilon=-1e-3",   "optimizer.weight_decay=-1",
        "bn.momentum=-0.5",         "model.dropout=-0.2",    "model.drop_path=-2",        "model.classes=1",
        "model.classes=-1",         "schedule.decay_rate=0", "schedule.warmup_epochs=-1", "ema.decay=nan",
        "train.time_budget=0s"}) {
    const Failure failed = set_failure(text);
    EXPECT_EQ(failed.code, ErrorCode::usage) << text;
    EXPECT_THAT(failed.text, HasSubstr(std::string(std::string_view(text).substr(0, std::string_view(text).find('=')))))
        << text;
  }
  EXPECT_THAT(set_failure("optimizer.lr=-0.5").text, HasSubstr("expected a number from 0 to 10000, or -1"));
  EXPECT_THAT(set_failure("train.epochs=0").text, HasSubstr("expected a number above 0, at most 1000000"));
  EXPECT_THAT(set_failure("train.accumulate=257").text, HasSubstr("expected at most train.batch = 256"));
  EXPECT_THAT(file_failure("[train]\nbatch = 8\naccumulate = 9\n").text,
              AllOf(HasSubstr("r.toml:3:14:"), HasSubstr("got 9, expected at most train.batch = 8")));
  EXPECT_THAT(file_failure("[optimizer]\nlr = -0.5\n").text,
              AllOf(HasSubstr("r.toml:2:6:"), HasSubstr("got -0.5, expected a number from 0 to 10000, or -1")));
  EXPECT_EQ(file_failure("[train]\nepochs = 0\n").code, ErrorCode::input);

  EXPECT_EQ(with("train.epochs=0.25").train.epochs, 0.25);
  EXPECT_EQ(with("train.validate_every=2.5").train.validate_every, 2.5);
  EXPECT_EQ(with("train.accumulate=256").train.accumulate, 256);
  EXPECT_EQ(with("model.classes=0").model.classes, 0);
  EXPECT_EQ(with("optimizer.epsilon=-1").optimizer.epsilon, 1e-3);
}

TEST(Recipe, ParsesOverridesByTheTypeOfTheSetting) {
  EXPECT_EQ(with("model.init=\"a b.pth\"").model.init, "a b.pth");  // TOML's quotes are accepted
  EXPECT_EQ(with("model.init=a=b").model.init, "a=b");
  EXPECT_EQ(with("train.epochs=1e2").train.epochs, 100);
  EXPECT_FALSE(with("data.shuffle=false").data.shuffle);
  EXPECT_EQ(with("seed=9007199254740992").seed, 9007199254740992U);
}

TEST(Recipe, AcceptsOneOfTheTwoLearningRates) {
  EXPECT_DOUBLE_EQ(peak_lr(with("train.batch=4096")), 0.256);  // the paper's rate: 0.016 per 256 images
  EXPECT_EQ(peak_lr(with("optimizer.lr=0.3")), 0.3);
  EXPECT_EQ(peak_lr(with("optimizer.lr=0")), 0);
  const Recipe from_file = parse_recipe("[optimizer]\nlr = 0.3\n", "r.toml");
  EXPECT_EQ(peak_lr(from_file), 0.3);
  EXPECT_LT(from_file.optimizer.lr_per_256, 0);
  const Recipe scaled = parse_recipe("[optimizer]\nlr = 0.3\n", "r.toml", {{"optimizer.lr_per_256", "0.1"}});
  EXPECT_EQ(peak_lr(scaled), 0.1);  // the default batch is 256
  EXPECT_THAT(file_failure("[optimizer]\nlr = 0.3\nlr_per_256 = 0.1\n").text,
              AllOf(HasSubstr("r.toml:3:14:"), HasSubstr("lr and lr_per_256")));
  EXPECT_EQ(failure([] {
              parse_recipe("", "", {{"optimizer.lr", "1"}, {"optimizer.lr_per_256", "1"}});
            }).code,
            ErrorCode::usage);
  EXPECT_EQ(set_failure("optimizer.lr_per_256=-1").code, ErrorCode::usage);
}

TEST(Recipe, UsesTheOptimisersDefaultsForDecayAndEpsilon) {
  EXPECT_EQ(with("optimizer.name=rmsprop_tf").optimizer.decay, 0.9);
  EXPECT_EQ(with("optimizer.name=rmsprop_tf").optimizer.epsilon, 1e-3);
  EXPECT_EQ(with("optimizer.name=adamw").optimizer.decay, 0.999);
  EXPECT_EQ(with("optimizer.name=adamw").optimizer.epsilon, 1e-8);
}

TEST(Recipe, ParsesDurations) {
  EXPECT_EQ(parse_seconds("90s"), 90);
  EXPECT_EQ(parse_seconds("20m"), 1200);
  EXPECT_EQ(parse_seconds("1.5h"), 5400);
  EXPECT_EQ(parse_seconds("1h30m"), 5400);
  for (const char* text : {"", "20", "m", "0s", "-3m", "3 m", "30m1h", "1m1m", "infh", "1e99h", "5d"}) {
    EXPECT_EQ(failure([&] { parse_seconds(text); }).code, ErrorCode::usage) << text;
  }
}

TEST(Recipe, LoadsEveryBuiltInRecipe) {
  EXPECT_THAT(recipe_names(), testing::IsSupersetOf({"imagenet_b0", "imagenet_b7", "cifar10", "quick"}));
  EXPECT_THAT(recipe_names(), testing::Not(testing::Contains("cifar10_net")));
  for (const std::string& name : recipe_names()) {
    SCOPED_TRACE(name);
    const Recipe recipe = load_recipe(name, {});
    EXPECT_EQ(print(parse_recipe(print(recipe), "printed")), print(recipe));
    const arch::ArchSpec spec = load_arch(recipe.model);
    EXPECT_GT(graph::lower(spec).nodes.size(), 10U);
    if (name.starts_with("imagenet_b")) {  // docs/reference/paper.md, section D
      EXPECT_DOUBLE_EQ(peak_lr(recipe), 0.256);
      EXPECT_EQ(recipe.optimizer.name, OptimizerKind::rmsprop_tf);
      EXPECT_EQ(recipe.optimizer.epsilon, 1e-3);
      EXPECT_EQ(recipe.train.epochs, 350);
      EXPECT_EQ(recipe.ema_decay, 0.9999);
      EXPECT_EQ(spec.drop_path, 0.2);
      const std::vector<double> dropout{0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5};
      EXPECT_EQ(spec.dropout, dropout.at(static_cast<std::size_t>(name[10] - '0')));
    }
  }
  EXPECT_EQ(failure([] { load_recipe("imagenet_b9", {}); }).code, ErrorCode::input);
  EXPECT_THAT(failure([] { load_recipe("imagenet_bo", {}); }).text, HasSubstr("did you mean imagenet_b0"));
  EXPECT_EQ(failure([] { load_recipe("cifar10_net", {}); }).code, ErrorCode::input);
}

// Tan & Le 2019, Table 6. Of Oxford-IIIT Pets the table has 3,369 test images, the official list 3,669.
TEST(Recipe, DatasetsOfThePaperHaveTheirNumbers) {
  struct Row {
    const char* name;
    std::int64_t train, test, classes;
    Metric metric;
  };
  constexpr Metric kMean = Metric::mean_per_class;
  for (const Row& row :
       {Row{"cifar10", 50000, 10000, 10, Metric::top1}, Row{"cifar100", 50000, 10000, 100, Metric::top1},
        Row{"birdsnap", 47386, 2443, 500, Metric::top1}, Row{"cars", 8144, 8041, 196, Metric::top1},
        Row{"flowers102", 2040, 6149, 102, kMean}, Row{"aircraft", 6667, 3333, 100, kMean},
        Row{"pets", 3680, 3669, 37, kMean}, Row{"food101", 75750, 25250, 101, Metric::top1}}) {
    const Recipe recipe = load_recipe(fmt::format("finetune_{}", row.name), {});
    EXPECT_EQ(recipe.expect.train_images, row.train) << row.name;
    EXPECT_EQ(recipe.expect.test_images, row.test) << row.name;
    EXPECT_EQ(recipe.expect.classes, row.classes) << row.name;
    EXPECT_EQ(recipe.expect.metric, row.metric) << row.name;
  }
}

TEST(Recipe, ChangesTheSettingsOfItsBase) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "mine.toml").string();
  write_text(file, "base = \"imagenet_b0\"\n[optimizer]\nlr = 0.1\n");
  const Recipe recipe = load_recipe(file, {});
  EXPECT_EQ(recipe.train.batch, 4096);
  EXPECT_EQ(recipe.optimizer.lr, 0.1);
  EXPECT_EQ(recipe.optimizer.lr_per_256, -1);

  write_text(folder.path() / "second.toml",
             "base = \"mine.toml\"\n[optimizer]\nlr_per_256 = 0.2\n[train]\nbatch = 8\n");
  const Recipe second = load_recipe((folder.path() / "second.toml").string(), {{"train.epochs", "3"}});
  EXPECT_EQ(second.optimizer.lr_per_256, 0.2);
  EXPECT_EQ(second.optimizer.lr, -1);
  EXPECT_EQ(second.train.batch, 8);
  EXPECT_EQ(second.train.epochs, 3);
  EXPECT_EQ(second.data.holdout, 25022);

  write_text(folder.path() / "many.toml", "base = \"mine.toml\"\n[train]\naccumulate = 64\n");
  write_text(folder.path() / "few.toml", "base = \"many.toml\"\n[train]\nbatch = 8\n");
  EXPECT_THAT(failure([&] { load_recipe((folder.path() / "few.toml").string(), {}); }).text,
              AllOf(HasSubstr("few.toml:3"), HasSubstr("more micro-batches")));
}

TEST(Recipe, RefusesAWrongBase) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "mine.toml").string();
  write_text(file, "base = \"imagenet_b9\"\n");
  EXPECT_THAT(failure([&] { load_recipe(file, {}); }).text, AllOf(HasSubstr("base"), HasSubstr("unknown recipe")));
  write_text(file, "base = \"mine.toml\"\n");
  EXPECT_THAT(failure([&] { load_recipe(file, {}); }).text, HasSubstr("chain of bases"));
  write_text(folder.path() / "wrong.toml", "[train]\nepoch = 3\n");
  write_text(file, "base = \"wrong.toml\"\n");
  EXPECT_THAT(failure([&] { load_recipe(file, {}); }).text, AllOf(HasSubstr("wrong.toml:2"), HasSubstr("epoch")));
}

TEST(Recipe, SmallNetworksHaveFewMacs) {
  const graph::Costs cifar = graph::costs(graph::lower(load_arch(load_recipe("cifar10", {}).model)));
  EXPECT_GT(cifar.macs, 30'000'000);
  EXPECT_LT(cifar.macs, 60'000'000);
  const graph::Costs quick = graph::costs(graph::lower(load_arch(load_recipe("quick", {}).model)));
  EXPECT_LT(quick.macs, 15'000'000);
}

// config.toml could not be read again.
TEST(Recipe, TextsMustBeUtf8) {
  for (const char* key : {"data.folder", "data.labels", "model.init"}) {
    const auto error = failure([&] { load_recipe("finetune", {{key, "caf\xe9"}}); });
    EXPECT_EQ(error.code, ErrorCode::usage);
    EXPECT_THAT(error.text, HasSubstr(fmt::format("{}: not UTF-8 (got 'caf\\xe9', expected UTF-8", key)));
  }
  EXPECT_EQ(load_recipe("finetune", {{"data.folder", "caf\xc3\xa9"}}).data.folder, "caf\xc3\xa9");
}

TEST(Recipe, FindsAnArchFileInItsOwnFolder) {
  const TemporaryFolder folder;
  write_text(folder.path() / "net.toml", arch::print(load_arch(model_named("quick_net.toml"))));
  write_text(folder.path() / "r.toml", "[model]\nname = \"net.toml\"\ndropout = 0.4\ndrop_path = 0.3\n");
  const Recipe recipe = load_recipe((folder.path() / "r.toml").string(), {});
  const arch::ArchSpec spec = load_arch(recipe.model);
  EXPECT_EQ(spec.name, "quick_net");
  EXPECT_EQ(spec.dropout, 0.4);
  EXPECT_EQ(spec.drop_path, 0.3);
  EXPECT_EQ(load_recipe((folder.path() / "r.toml").string(), {{"model.name", "mobilenet_v2"}}).model.name,
            "mobilenet_v2");
  EXPECT_EQ(failure([] { load_arch(model_named("nowhere.toml")); }).code, ErrorCode::input);
  EXPECT_EQ(failure([] { load_arch(model_named("efficientnet_b99")); }).code, ErrorCode::input);
}

TEST(Recipe, DocumentIsUpToDate) {
  const std::filesystem::path file = std::filesystem::path(EFFNET_SOURCE_DIR) / "docs/recipes.md";
  if (std::getenv("EFFNET_RENEW") != nullptr) write_text(file, settings_document());
  EXPECT_EQ(read_text(file), settings_document())
      << "docs/recipes.md differs from the table of settings; the comment at its top has the command that updates it";
}

}  // namespace
}  // namespace effnet::train
