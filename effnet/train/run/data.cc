#include "effnet/train/run/data.h"

#include <algorithm>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/split_file.h"

namespace effnet::train {
namespace {

void note_skipped(const data::Dataset& set, std::string_view split, std::vector<std::string>& notes) {
  if (set.skipped().empty()) return;
  const data::SkippedFile& first = set.skipped().front();
  notes.push_back(fmt::format("{}: skips {} ({}: {}{})", split, count_of(std::ssize(set.skipped()), "file"),
                              first.path.string(), first.why, set.skipped().size() > 1 ? ", .." : ""));
}

// The parts of data.split.
void open_split_file(const Recipe& recipe, const data::AllImages& all, RunData& data) {
  const std::vector<data::Part> parts = data::read_split_file(recipe.data.split, *all.set);
  const auto images_of = [&](std::initializer_list<data::Part> wanted) {
    return data::with_parts(all.set, parts, wanted);
  };
  using enum data::Part;
  switch (recipe.data.train_on) {
    case TrainOn::train:
      data.train = images_of({train});
      data.validation = images_of({val});
      break;
    case TrainOn::train_val:
      data.train = images_of({train, val});
      data.test = images_of({test});
      break;
    case TrainOn::all:
      data.train = images_of({train, val, test});
      break;
  }
  if (!data.train)
    throw input_error("{}: no images to train on (got none for data.train_on = {})", recipe.data.split,
                      name_in(kTrainOn, recipe.data.train_on));
  note_skipped(*all.set, "data", data.notes);
}

// The splits of the source.
void open_splits(const Recipe& recipe, const data::Source& source, RunData& data) {
  data.train = data::open_dataset(source, "train");
  note_skipped(*data.train, "train", data.notes);
  const data::ClassNames names{
      .classes = static_cast<std::int64_t>(data.train->classes().size()), .ids = {}, .labels = data.train->classes()};
  std::shared_ptr<const data::Dataset> split = data::open_validation(source, names);
  if (split) note_skipped(*split, "val", data.notes);
  if (recipe.data.holdout > 0) {
    data.test = split;
    data.validation = data::held_out(data.train, recipe.data.holdout, /*rest=*/false);
    data.train = data::held_out(data.train, recipe.data.holdout, /*rest=*/true);
  } else {
    data.validation = split;
    if (!split)
      data.notes.push_back(fmt::format(
          "{} has neither val/ nor test/: no validation (data.holdout=N uses N training images for validation)",
          source.folder.string()));
  }
}

bool expects_images(const ExpectSettings& expect) {
  return expect.classes > 0 || expect.train_images > 0 || expect.test_images > 0;
}

}  // namespace

void check_expected(const ExpectSettings& expect, const data::AllImages& images) {
  using enum data::Part;
  const auto count = [&](data::Part part) { return std::ranges::count(images.origin, std::optional(part)); };
  const bool has_test = count(test) > 0;
  const auto require = [](const char* key, const char* what, std::int64_t expected, std::int64_t found) {
    if (expected == 0 || found == expected) return;
    throw input_error("expect.{}: not the dataset of this recipe (got {} {}, expected {})", key, grouped(found), what,
                      grouped(expected))
        .with_hint(
            fmt::format("docs/finetune.md has the layout of each dataset; --set expect.{}=0 turns this check off, "
                        "but then results are not comparable with published ones",
                        key));
  };
  require("classes", "classes", expect.classes, std::ssize(images.set->classes()));
  if (images.is_bare()) {
    if (expect.train_images > 0)
      require("train_images", "images without splits", expect.train_images + expect.test_images, images.set->size());
    return;
  }
  require("train_images", "training images", expect.train_images, count(train) + (has_test ? count(val) : 0));
  require("test_images", "test images", expect.test_images, has_test ? count(test) : count(val));
}

RunData open_run_data(const Recipe& recipe, const std::filesystem::path& folder, Size resolution) {
  RunData data;
  if (recipe.data.holdout > 0 && (recipe.data.synthetic > 0 || !recipe.data.split.empty()))
    data.notes.push_back(fmt::format("warning: data.holdout has no effect with {}",
                                     recipe.data.synthetic > 0 ? "data.synthetic" : "data.split"));
  if (recipe.data.synthetic > 0) {
    const std::int64_t classes = recipe.model.classes > 0 ? recipe.model.classes : 1000;
    data.train = data::synthetic(recipe.data.synthetic, classes, resolution, recipe.seed);
    data.notes.emplace_back("synthetic images: only the speed is meaningful, not the accuracy");
  } else {
    if (folder.empty())
      throw usage_error("no images (got neither --data nor data.synthetic, expected one of them)")
          .with_hint("--data DIR: a folder with train/ and val/, each with one folder per class");
    const data::Source source(folder, recipe.data.labels);
    const bool has_split_file = !recipe.data.split.empty();
    data::AllImages all;
    if (has_split_file || expects_images(recipe.expect)) all = data::open_all(source);
    if (expects_images(recipe.expect)) check_expected(recipe.expect, all);
    has_split_file ? open_split_file(recipe, all, data) : open_splits(recipe, source, data);
  }

  const auto found = static_cast<std::int64_t>(data.train->classes().size());
  data.classes = recipe.model.classes > 0 ? recipe.model.classes : found;
  if (found > data.classes)
    throw input_error(
        "labels are out of range: the dataset has more classes than the network (got {}, expected at most {})", found,
        data.classes)
        .with_hint("model.classes=0 uses the number of classes of the dataset");
  if (data.train->size() < recipe.train.batch)
    throw input_error("fewer images than a batch (got {}, expected at least train.batch = {})", data.train->size(),
                      recipe.train.batch)
        .with_hint(fmt::format("--set train.batch={} or less", data.train->size()));
  return data;
}

data::LoaderOptions loader_options(const Recipe& recipe, int threads) {
  data::LoaderOptions loader;
  loader.batch = recipe.train.batch;
  loader.seed = recipe.seed;
  loader.shuffle = recipe.data.shuffle;
  loader.workers = recipe.data.workers > 0 ? recipe.data.workers : std::max(1, usable_cores() - threads);
  loader.broken_limit = recipe.data.broken_limit;
  return loader;
}

}  // namespace effnet::train
