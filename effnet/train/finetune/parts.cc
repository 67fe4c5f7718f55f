#include "effnet/train/finetune/parts.h"

#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/data/content.h"
#include "effnet/data/split.h"
#include "effnet/data/split_file.h"
#include "effnet/report/run_findings.h"

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

// Assigns parts by content to the images for which `chosen` is set.
void split_chosen(const data::AllImages& all, const std::vector<data::ImageContent>& contents,
                  const std::vector<bool>& chosen, bool needs_test, std::vector<Part>& parts,
                  std::vector<std::string>& notes) {
  std::vector<std::int64_t> indices;
  std::vector<data::ImageContent> own;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    indices.push_back(static_cast<std::int64_t>(i));
    own.push_back(contents[i]);
  }
  if (indices.empty()) return;
  const auto set = data::select(all.set, indices);
  const double fraction = fraction_of(set->size());
  const data::Split split = data::split_by_content(*set, own, data::near_duplicates(own),
                                                   {.val = fraction, .test = needs_test ? fraction : 0});
  for (std::size_t i = 0; i < indices.size(); ++i) parts[static_cast<std::size_t>(indices[i])] = split.parts[i];
  notes.insert(notes.end(), split.notes.begin(), split.notes.end());
}

std::vector<Part> choose_parts(const FinetuneOptions& options, const data::AllImages& all,
                               const std::vector<data::ImageContent>& contents, report::FinetuneFile& record) {
  const Existing existing = existing_parts(all);
  std::vector<Part> parts(contents.size(), Part::train);
  std::vector<bool> chosen(contents.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = existing.parts[i].value_or(Part::train);
    chosen[i] = parts[i] == Part::train && !existing.has_val;
  }
  record.split = {.by = !existing.has_test ? "content" : existing.has_val ? "folders" : "both"};
  split_chosen(all, contents, chosen, !existing.has_test, parts, record.warnings);
  if (options.from.empty()) return parts;
  std::int64_t unknown = 0;
  std::vector<Part> kept = data::read_split_file(options.from / "split.csv", *all.set, [&](std::int64_t index) {
    ++unknown;
    return parts[static_cast<std::size_t>(index)];
  });
  if (unknown == all.set->size())
    throw input_error(
        "--from: no image of {} is in this run's split.csv (got other names, expected at least one known "
        "image)",
        options.data.string())
        .with_hint("the names of the images are relative to DIR: give the folder that the run had");
  return kept;
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
  std::ranges::stable_partition(groups, [&](const auto& group) { return across_classes(set, group); });
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

// Warnings about the classes: too few images, very different numbers.
void warn_of_classes(const report::FinetuneData& facts, std::vector<std::string>& warnings) {
  constexpr std::int64_t kFew = 10, kImbalance = 10;
  std::vector<std::string> small;
  std::int64_t smallest = -1, largest = 0;
  for (const report::ClassCounts& one : facts.classes) {
    const std::int64_t images = one.train + one.val + one.test;
    if (images < kFew) small.push_back(fmt::format("{} ({})", one.name, images));
    smallest = smallest < 0 ? images : std::min(smallest, images);
    largest = std::max(largest, images);
  }
  if (!small.empty()) {
    const std::size_t shown = std::min<std::size_t>(small.size(), 5);
    std::string list;
    for (std::size_t i = 0; i < shown; ++i) list += (i > 0 ? ", " : "") + small[i];
    warnings.push_back(
        fmt::format("{} of {} classes have fewer than {} images: {}{}. Their accuracy is uncertain; more "
                    "images help most",
                    small.size(), facts.classes.size(), kFew, list, shown < small.size() ? ", .." : ""));
  }
  if (largest > kImbalance * smallest) {
    warnings.push_back(
        fmt::format("the largest class has {} images, the smallest {}: rare classes may be predicted too "
                    "seldom; --set train.class_weights=balanced gives all classes the same weight",
                    largest, smallest));
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
  const auto& counted = options.watch.counted;
  const std::vector<data::ImageContent> contents =
      data::read_contents(*all.set, pool, [&](std::int64_t done, std::int64_t total) {
        if (counted) counted("reading images", done, total);
      });
  data::check_readable(*all.set, contents);
  SplitImages result{.all = all.set, .parts = choose_parts(options, all, contents, record)};

  report::FinetuneData& facts = record.data;
  set_counts(result, facts, *record.split);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (!contents[i].why.empty())
      facts.broken.push_back({all.set->name(static_cast<std::int64_t>(i)), contents[i].why});
  }
  facts.duplicates = names_of(*all.set, data::duplicates(contents));
  const data::ImageGroups near = data::near_duplicates(contents);
  facts.near_duplicates = names_of(*all.set, near);
  const auto doubtful = std::ranges::count_if(near, [&](const auto& group) { return across_classes(*all.set, group); });
  if (!facts.broken.empty()) {
    record.warnings.push_back(fmt::format("{} of {} images cannot be decoded and are left out (first: {}: {})",
                                          facts.broken.size(), *facts.images, facts.broken.front().path,
                                          facts.broken.front().why));
  }
  if (doubtful > 0) {
    record.warnings.push_back(
        fmt::format("{} {} the same in different classes: at least one label of each is wrong "
                    "(near_duplicates.csv lists them first)",
                    doubtful, doubtful == 1 ? "group of images looks" : "groups of images look"));
  }
  const auto shared = std::ranges::count_if(near, [&](const auto& group) {
    const auto in_test = std::ranges::count_if(
        group, [&](std::int64_t index) { return result.parts[static_cast<std::size_t>(index)] == Part::test; });
    return in_test > 0 && in_test < std::ssize(group);
  });
  if (shared > 0) {
    record.warnings.push_back(
        fmt::format("{} groups of images that look the same are in test and also in train or val: "
                    "the accuracy on test may be too high (near_duplicates.csv lists them)",
                    shared));
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
  warn_of_classes(facts, record.warnings);
  write_near_duplicates(options.out / "near_duplicates.csv", *all.set, near);
  data::write_split_file(options.out / "split.csv", *all.set, result.parts);
  return result;
}

SplitImages reopen_data(const FinetuneOptions& options) {
  const data::AllImages all = data::open_all({options.data, options.labels});
  return {.all = all.set, .parts = data::read_split_file(options.out / "split.csv", *all.set)};
}

}  // namespace effnet::train
