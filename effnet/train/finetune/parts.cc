#include "effnet/train/finetune/parts.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/data/check.h"
#include "effnet/data/split.h"
#include "effnet/data/split_file.h"
#include "effnet/report/run_findings.h"
#include "effnet/train/run/data.h"
#include "effnet/transfer/known_images.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using data::Part;

constexpr std::int64_t kMostHeldOut = 5000;  // images of val and of test; more would hardly narrow the interval

double fraction_of(std::int64_t images) {
  return std::min(0.2, static_cast<double>(kMostHeldOut) / static_cast<double>(images));
}

// The parts that exist in the source, where the source has no test part but a val part: val becomes test.
struct Existing {
  std::vector<std::optional<Part>> parts;  // by image
  bool has_val = false, has_test = false;
};

Existing existing_parts(const data::AllImages& all) {
  Existing existing{.parts = all.origin};
  existing.parts.resize(static_cast<std::size_t>(all.set->size()));
  const auto count = [&](Part part) { return std::ranges::count(existing.parts, std::optional(part)); };
  if (count(Part::test) == 0) std::ranges::replace(existing.parts, std::optional(Part::val), std::optional(Part::test));
  existing.has_val = count(Part::val) > 0;
  existing.has_test = count(Part::test) > 0;
  return existing;
}

// Gives image i the number position[i], and leaves out images with the position -1 and groups of one image.
data::ImageGroups renumbered(const data::ImageGroups& groups, const std::vector<std::int64_t>& position) {
  data::ImageGroups result;
  for (const std::vector<std::int64_t>& group : groups) {
    result.emplace_back();
    for (const std::int64_t i : group) {
      if (const std::int64_t at = position[static_cast<std::size_t>(i)]; at >= 0) result.back().push_back(at);
    }
    if (result.back().size() < 2) result.pop_back();
  }
  return result;
}

// Assigns parts by content to the images for which `chosen` is set. `near`: the groups of near-duplicates of all
// images.
void split_chosen(const data::AllImages& all, const std::vector<data::ImageContent>& contents,
                  const data::ImageGroups& near, const std::vector<bool>& chosen, bool needs_test,
                  std::vector<Part>& parts, std::vector<std::string>& notes) {
  std::vector<std::int64_t> indices, position(chosen.size(), -1);  // position: in `indices`
  std::vector<data::ImageContent> own;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    position[i] = std::ssize(indices);
    indices.push_back(static_cast<std::int64_t>(i));
    own.push_back(contents[i]);
  }
  if (indices.empty()) return;
  const auto set = data::select(all.set, indices);
  const double fraction = fraction_of(set->size());
  const data::Split split = data::split_by_content(*set, own, renumbered(near, position),
                                                   {.val = fraction, .test = needs_test ? fraction : 0});
  for (std::size_t i = 0; i < indices.size(); ++i) parts[static_cast<std::size_t>(indices[i])] = split.parts[i];
  notes.insert(notes.end(), split.notes.begin(), split.notes.end());
}

// "1 image of val and 30 images of test"; only the parts with an image. At least one has one.
std::string val_and_test(std::int64_t val, std::int64_t test) {
  std::string text = val > 0 ? count_of(val, "image") + " of val" : "";
  if (test > 0) text += fmt::format("{}{} of test", text.empty() ? "" : " and ", count_of(test, "image"));
  return text;
}

void warn_of_kept(const transfer::KeptParts& kept, std::int64_t images, std::vector<std::string>& warnings) {
  if (kept.known == 0) {
    warnings.push_back(fmt::format(
        "none of the {} images is in the run of --from: all are new, and only its network is used", images));
  }
  if (const std::int64_t seen = kept.seen_val + kept.seen_test; seen > 0) {
    warnings.push_back(fmt::format(
        "{} {} training {} of the run of --from or of a run before it: the accuracy may be too high",
        val_and_test(kept.seen_val, kept.seen_test), seen == 1 ? "was a" : "were", seen == 1 ? "image" : "images"));
  }
}

// `has_test`: the images have a test part of their own, which --from would not change either.
void warn_of_used(const transfer::KeptParts& kept, const std::string& model, bool has_test,
                  std::vector<std::string>& warnings) {
  const std::int64_t used = kept.seen_val + kept.used_test;
  if (used == 0) return;
  warnings.push_back(fmt::format("{} {} used to train {} or to choose its settings: the accuracy may be too high{}",
                                 val_and_test(kept.seen_val, kept.used_test), used == 1 ? "was" : "were", model,
                                 has_test ? ""
                                          : ". --from RUN instead of --model leaves the images of its run in their "
                                            "parts"));
}

// "2 ('rose', 'tulip')", or "none".
std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{} ({})", names.size(), first_in_quotes(names, 5));
}

// Says what is new in comparison with the run of --from.
void log_changes(const FinetuneOptions& options, const data::Dataset& set, std::int64_t known_images) {
  if (!options.watch.log) return;
  const report::FinetuneFile earlier = report::read_finetune(options.from / "finetune.json");
  std::set<std::string> before;
  for (const report::ClassCounts& one : earlier.data.classes) before.insert(one.name);
  const std::set<std::string> now(set.classes().begin(), set.classes().end());
  const auto only_in = [](const std::set<std::string>& some, const std::set<std::string>& others) {
    std::vector<std::string> names;
    std::ranges::set_difference(some, others, std::back_inserter(names));
    return names;
  };
  const std::string run = options.from.string();
  options.watch.log(fmt::format("classes that {} does not have: {}", run, listed(only_in(now, before))));
  options.watch.log(fmt::format("classes of {} that are gone: {}", run, listed(only_in(before, now))));
  options.watch.log(fmt::format("images: {} are known from {}, {} are new", grouped(known_images), run,
                                grouped(set.size() - known_images)));
}

// Chooses the part of each image, and returns the groups of near-duplicates in `near`. `known`: the images of the runs
// that the model comes from.
std::vector<Part> choose_parts(const FinetuneOptions& options, const data::AllImages& all,
                               const std::vector<data::ImageContent>& contents, const transfer::KnownImages& known,
                               report::FinetuneFile& record, data::ImageGroups& near) {
  const Existing existing = existing_parts(all);
  std::vector<Part> parts(contents.size(), Part::train);
  std::vector<bool> chosen(contents.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = existing.parts[i].value_or(Part::train);
    chosen[i] = parts[i] == Part::train && !existing.has_val;
  }
  record.split = {.by = !existing.has_test ? "content" : existing.has_val ? "folders" : "both"};
  const data::ImageGroups groups = transfer::groups_with(contents, known);
  std::vector<std::int64_t> position(contents.size() + known.contents.size(), -1);
  std::iota(position.begin(), position.begin() + std::ssize(contents), std::int64_t{0});
  near = renumbered(groups, position);
  split_chosen(all, contents, near, chosen, !existing.has_test, parts, record.warnings);
  if (options.from.empty()) std::fill(chosen.begin(), chosen.end(), false);  // only --from keeps parts
  const transfer::KeptParts kept = transfer::keep_parts(contents, known, groups, chosen, parts);
  record.split->used_test = kept.used_test;
  if (options.from.empty()) {
    warn_of_used(kept, options.model, existing.has_test, record.warnings);
  } else {
    log_changes(options, *all.set, kept.known);
    warn_of_kept(kept, all.set->size(), record.warnings);
  }
  if (record.split->by == "content") {
    if (std::string note = data::uneven_note(*all.set, parts); !note.empty())
      record.warnings.push_back(std::move(note));
  }
  return parts;
}

std::vector<std::vector<std::string>> names_of(const data::Dataset& set, const data::ImageGroups& groups) {
  std::vector<std::vector<std::string>> names;
  for (const auto& group : groups) {
    names.emplace_back();
    for (const std::int64_t index : group) names.back().push_back(set.name(index));
  }
  return names;
}

bool across_classes(const data::Dataset& set, const std::vector<std::int64_t>& group) {
  return std::ranges::any_of(group, [&](std::int64_t index) { return set.label(index) != set.label(group.front()); });
}

void write_near_duplicates(const fs::path& file, const data::Dataset& set, data::ImageGroups groups) {
  std::stable_partition(groups.begin(), groups.end(), [&](const auto& group) { return across_classes(set, group); });
  std::vector<report::NearDuplicate> rows;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const std::int64_t index : groups[i]) {
      rows.push_back({.group = static_cast<std::int64_t>(i + 1),
                      .name = set.name(index),
                      .class_name = set.classes()[static_cast<std::size_t>(set.label(index))]});
    }
  }
  write_text(file, report::near_duplicates_text(rows));
}

void set_counts(const SplitImages& data, report::FinetuneData& facts, report::FinetuneSplit& split) {
  facts.images = data.all->size();
  facts.classes.clear();
  for (const std::string& name : data.all->classes()) facts.classes.push_back({.name = name});
  for (std::int64_t i = 0; i < data.all->size(); ++i) {
    report::ClassCounts& counts = facts.classes[static_cast<std::size_t>(data.all->label(i))];
    const Part part = data.parts[static_cast<std::size_t>(i)];
    ++(part == Part::train ? counts.train : part == Part::val ? counts.val : counts.test);
    ++(part == Part::train ? split.train : part == Part::val ? split.val : split.test);
  }
}

// Throws if images were removed or have other labels than in the record: the classifiers of the first steps would be
// those of other classes.
void require_same_classes(const SplitImages& data, const report::FinetuneData& recorded) {
  if (recorded.classes.empty()) return;  // of an earlier version
  report::FinetuneData now;
  report::FinetuneSplit ignored;
  set_counts(data, now, ignored);
  const auto text = [](const report::ClassCounts* one) {
    if (one == nullptr) return std::string("no other class");
    return fmt::format("{} with {} for train, {} for val and {} for test", in_quotes(one->name),
                       count_of(one->train, "image"), one->val, one->test);
  };
  for (std::size_t i = 0; i < std::max(now.classes.size(), recorded.classes.size()); ++i) {
    const report::ClassCounts* const got = i < now.classes.size() ? &now.classes[i] : nullptr;
    const report::ClassCounts* const expected = i < recorded.classes.size() ? &recorded.classes[i] : nullptr;
    if (got != nullptr && expected != nullptr && *got == *expected) continue;
    throw input_error("--resume: the images are not those of the stopped command (got class {}, expected {})",
                      text(got), text(expected))
        .with_hint("put the images back as they were, or begin again with another --out");
  }
}

}  // namespace

DataSize SplitImages::size() const {
  constexpr std::int64_t kSampled = 31;
  DataSize size{.train = std::ranges::count(parts, Part::train),
                .val = std::ranges::count(parts, Part::val),
                .test = std::ranges::count(parts, Part::test),
                .classes = std::ssize(all->classes())};
  std::vector<double> sides;
  for (std::int64_t i = 0; i < std::min(kSampled, all->size()); ++i) {
    try {
      const vision::Image image = data::decoded(all->read(i * all->size() / std::min(kSampled, all->size())));
      sides.push_back(static_cast<double>(std::min(image.h, image.w)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
    }
  }
  if (sides.empty()) return size;
  std::ranges::nth_element(sides, sides.begin() + std::ssize(sides) / 2);
  size.median_side_px = sides[sides.size() / 2];
  return size;
}

SplitImages split_data(const FinetuneOptions& options, ThreadPool& pool, report::FinetuneFile& record) {
  const data::AllImages all = data::open_all({options.data, options.labels});
  check_expected(load_recipe(options.recipe, options.settings).expect, all);
  const auto& counted = options.watch.counted;
  const std::vector<data::ImageContent> contents =
      data::read_contents(*all.set, pool, [&](std::int64_t done, std::int64_t total) {
        if (counted) counted("reading images", done, total);
      });
  data::check_readable(*all.set, contents);
  const transfer::KnownImages known =
      options.from.empty() ? options.used : transfer::read_known_images(options.from / transfer::kKnownImagesFile);
  data::ImageGroups near;
  SplitImages result{.all = all.set, .parts = choose_parts(options, all, contents, known, record, near)};

  report::FinetuneData& facts = record.data;
  set_counts(result, facts, *record.split);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (!contents[i].why.empty())
      facts.broken.push_back({all.set->name(static_cast<std::int64_t>(i)), contents[i].why});
  }
  facts.duplicates = names_of(*all.set, data::duplicates(contents));
  facts.near_duplicates = names_of(*all.set, near);
  const auto doubtful = std::ranges::count_if(near, [&](const auto& group) { return across_classes(*all.set, group); });
  if (!facts.broken.empty()) {
    record.warnings.push_back(fmt::format("{} of {} left out, because they cannot be decoded (first: {}: {})",
                                          facts.broken.size(), count_of(*facts.images, "image"),
                                          facts.broken.front().path, facts.broken.front().why));
  }
  if (doubtful > 0) {
    record.warnings.push_back(fmt::format(
        "{} {} the same in different classes: at least one label of each is wrong (near_duplicates.csv lists "
        "them first). Where effnet chooses the part of an image, they are for training",
        doubtful, doubtful == 1 ? "group of images looks" : "groups of images look"));
  }
  const auto shared = std::ranges::count_if(near, [&](const auto& group) {
    const auto in_test = std::ranges::count_if(
        group, [&](std::int64_t index) { return result.parts[static_cast<std::size_t>(index)] == Part::test; });
    return in_test > 0 && in_test < std::ssize(group);
  });
  if (shared > 0) {
    record.warnings.push_back(
        fmt::format("{} of images that look the same {} in test and also in train or val: "
                    "the accuracy on test may be too high (near_duplicates.csv lists them)",
                    count_of(shared, "group"), shared == 1 ? "is" : "are"));
  }
  for (const Part part : {Part::val, Part::test}) {
    bool readable = false, any = false;
    for (std::size_t i = 0; i < contents.size(); ++i) {
      any = any || result.parts[i] == part;
      readable = readable || (result.parts[i] == part && contents[i].why.empty());
    }
    if (any && !readable)
      throw input_error("no image of {} can be decoded (expected at least one)", name_in(data::kPartNames, part));
  }
  std::vector<data::ClassSize> sizes;
  for (const report::ClassCounts& one : facts.classes) sizes.push_back({one.name, one.train + one.val + one.test});
  const std::vector<std::string> notes = data::notes_on_classes(std::move(sizes));
  record.warnings.insert(record.warnings.end(), notes.begin(), notes.end());
  write_near_duplicates(options.out / "near_duplicates.csv", *all.set, near);
  data::write_split_file(options.out / "split.csv", *all.set, result.parts);
  const transfer::KnownImages kept = transfer::with_earlier({contents, result.parts}, known);
  transfer::write_known_images(options.out / transfer::kKnownImagesFile, kept.contents, kept.parts);
  return result;
}

SplitImages reopen_data(const FinetuneOptions& options, const report::FinetuneData& recorded) {
  const data::AllImages all = data::open_all({options.data, options.labels});
  const auto refuse = [&](std::int64_t index) -> Part {
    const std::string run = path_in_shell(options.out.string());
    throw input_error("--resume: an image was added after the command began (got {}, expected only images of {})",
                      in_quotes(all.set->name(index)), (options.out / "split.csv").string())
        .with_hint(
            fmt::format("use --from {}: effnet finetune {} --from {} --out {} continues from a finished run with "
                        "the added images; an unfinished run needs the images that it began with",
                        run, path_in_shell(options.data.string()), run, path_in_shell(options.out.string() + "-2")));
  };
  SplitImages data{.all = all.set, .parts = data::read_split_file(options.out / "split.csv", *all.set, refuse)};
  require_same_classes(data, recorded);
  return data;
}

}  // namespace effnet::train
