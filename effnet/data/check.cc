#include "effnet/data/check.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

// Returns the names of all class folders of all splits, so that a class of val that is missing in train is a finding,
// not an error. A folder of val whose name is similar to a class of train (match_folders) adds no class. Returns no
// names if the source has no splits with class folders.
ClassNames names_of_folders(const Source& source) {
  ClassNames names;
  if (!source.labels.empty()) return names;
  std::set<std::string> exact, similar;
  for (const Part part : kParts) {
    const fs::path path = source.folder / split_name(source.folder, part);
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) continue;
    const bool first = exact.empty();
    for (const std::string& name : folder_names(class_folders(path))) {
      const bool is_new = similar.insert(normalised_label(name)).second;
      if (first || is_new) exact.insert(name);
    }
  }
  names.classes = static_cast<std::int64_t>(exact.size());
  names.labels = {exact.begin(), exact.end()};
  names.owner = "the dataset";
  names.by_index = false;
  return names;
}

// Converts groups of indices to names. Sorted by the first name.
std::vector<DataReport::Duplicates> named(const ImageGroups& groups, const AllImages& images) {
  std::vector<DataReport::Duplicates> result;
  for (const std::vector<std::int64_t>& group : groups) {
    DataReport::Duplicates one;
    for (const std::int64_t i : group) {
      one.names.push_back(images.set->name(i));
      one.across_splits |=
          images.origin[static_cast<std::size_t>(i)] != images.origin[static_cast<std::size_t>(group[0])];
      one.across_classes |= images.set->label(i) != images.set->label(group[0]);
    }
    std::sort(one.names.begin(), one.names.end());
    result.push_back(std::move(one));
  }
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.names < b.names; });
  return result;
}

void add_classes(const AllImages& images, DataReport& report) {
  std::set<std::optional<Part>> parts(images.origin.begin(), images.origin.end());
  std::map<std::optional<Part>, std::size_t> column;
  for (const std::optional<Part>& part : parts) {
    column.emplace(part, report.splits.size());
    report.splits.emplace_back(part ? name_in(kPartNames, *part) : ".");
  }
  for (const std::string& name : images.set->classes())
    report.classes.push_back({name, std::vector<std::int64_t>(parts.size())});
  for (std::int64_t i = 0; i < images.set->size(); ++i) {
    DataReport::Class& row = report.classes[static_cast<std::size_t>(images.set->label(i))];
    ++row.images[column.at(images.origin[static_cast<std::size_t>(i)])];
  }
  for (const DataReport::Class& one : report.classes) {
    for (std::size_t s = 0; s < one.images.size(); ++s) {
      if (one.images[s] == 0) report.missing.emplace_back(one.name, report.splits[s]);
    }
  }
}

}  // namespace

std::int64_t DataReport::Class::total() const { return std::accumulate(images.begin(), images.end(), std::int64_t{0}); }

DataReport report_data(const AllImages& images, const std::vector<ImageContent>& contents) {
  const Dataset& set = *images.set;
  DataReport report;
  report.images = set.size();
  report.skipped = set.skipped();
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const ImageContent& content = contents[static_cast<std::size_t>(i)];
    if (!content.why.empty()) report.broken.push_back({set.name(i), content.why});
    if (content.orientation != 1) report.turned.push_back({set.name(i), content.orientation});
  }
  report.duplicates = named(duplicates(contents), images);
  ImageGroups similar = near_duplicates(contents);
  std::erase_if(similar, [&](const std::vector<std::int64_t>& group) {  // groups of duplicates are listed already
    const auto digest = [&](std::int64_t i) { return contents[static_cast<std::size_t>(i)].digest; };
    return std::all_of(group.begin(), group.end(), [&](std::int64_t i) { return digest(i) == digest(group[0]); });
  });
  report.near_duplicates = named(similar, images);
  add_classes(images, report);
  std::vector<ClassSize> sizes;
  for (const DataReport::Class& one : report.classes) sizes.push_back({one.name, one.total()});
  report.notes = notes_on_classes(std::move(sizes));
  return report;
}

std::vector<std::string> notes_on_classes(std::vector<ClassSize> classes) {
  constexpr std::int64_t kFew = 10, kImbalance = 10;
  constexpr std::size_t kListed = 5;
  std::ranges::stable_sort(classes, {}, &ClassSize::images);
  std::vector<std::string> notes;
  std::string few;
  std::size_t count = 0;
  for (const ClassSize& one : classes) {
    if (one.images >= kFew) break;
    if (count++ < kListed) few += fmt::format("{}{} ({})", few.empty() ? "" : ", ", in_quotes(one.name), one.images);
  }
  if (count > 0) {
    notes.push_back(fmt::format("{} fewer than {} images: {}{}; their accuracy is uncertain, and more images help most",
                                count == 1 ? "1 class has" : fmt::format("{} classes have", count), kFew, few,
                                count > kListed ? ", ..." : ""));
  }
  const ClassSize& small = classes.front();
  const ClassSize& large = classes.back();
  if (large.images > kImbalance * small.images) {
    notes.push_back(fmt::format(
        "the classes are imbalanced: {} has {} images, {} has {}; rare classes may be predicted too seldom, and "
        "--set train.class_weights=balanced gives all classes the same weight",
        in_quotes(large.name), large.images, in_quotes(small.name), small.images));
  }
  return notes;
}

DataReport check_data(const Source& source, ThreadPool& pool, const ImagesDone& images_done) {
  const AllImages images = open_all(source, names_of_folders(source));
  return report_data(images, read_contents(*images.set, pool, images_done));
}

void check_trainable(const Source& source) {
  if (!has_split(source, "train")) return;
  open_dataset(source, "train");
  open_validation(source);
}

}  // namespace effnet::data
