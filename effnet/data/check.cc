#include "effnet/data/check.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "effnet/base/error.h"
#include "effnet/data/corrupt.h"
#include "effnet/data/sources.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

using Hash = std::array<std::uint64_t, 2>;

struct ImageCheck {
  Hash hash{};
  int orientation = 1;
  std::string why;  // why the image is corrupt; empty if it is not
};

// XXH3 with 128 bits: the probability that two of a billion different images have the same hash is 1e-21. The seed is
// the width, so that images of 2x3 and 3x2 pixels with the same bytes have different hashes.
Hash hash_of(const vision::Image& image) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(image.rgb.data(), image.rgb.size(), static_cast<std::uint64_t>(image.w));
  return {hash.high64, hash.low64};
}

ImageCheck check_image(const Dataset& set, std::int64_t index) {
  ImageCheck found;
  try {
    ImageData content = set.read(index);
    if (const auto* image = std::get_if<vision::Image>(&content)) {
      found.hash = hash_of(*image);
    } else {
      vision::StoredImage stored = vision::decode_stored(std::get<std::vector<std::byte>>(content));
      found.orientation = stored.orientation;
      found.hash = hash_of(vision::oriented(std::move(stored.image), stored.orientation));
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw error.in(set.name(index));
    found.why = error.what();
  }
  return found;
}

struct Split {
  std::string name;
  std::unique_ptr<Dataset> set;
};

std::set<std::string> set_of(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

// Opens all splits with one list of classes, so that a class of val that is missing in train is a finding, not an
// error.
std::vector<Split> open_splits(const fs::path& folder) {
  std::vector<Split> splits;
  std::vector<std::string> found;
  for (const char* name : {"train", "val", "test"}) {
    if (has_split(folder, name)) found.emplace_back(name);
  }
  std::error_code none;
  if (found.empty() && fs::is_directory(folder, none) && has_class_folders(folder)) {
    splits.push_back({".", open_class_folders(folder, folder, {})});
    if (splits[0].set->size() == 0)
      throw input_error("{}: no images (got {} other files, expected {} files)", folder.string(),
                        splits[0].set->skipped().size(), vision::image_extensions());
    return splits;
  }
  if (found.empty()) open_dataset(folder, "train");  // throws the error that says what is missing

  std::set<std::string> folders;
  for (const std::string& name : found) {
    const fs::path path = folder / split_name(folder, name);
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) folders.merge(set_of(folder_names(class_folders(path))));
  }
  const ClassNames all{static_cast<std::int64_t>(folders.size()), {folders.begin(), folders.end()}, {}};
  for (const std::string& name : found) {
    const fs::path path = folder / split_name(folder, name);
    std::error_code ignored;
    const bool in_folders = fs::is_directory(path, ignored) && has_class_folders(path);
    std::unique_ptr<Dataset> set = open_dataset(folder, name, in_folders ? all : ClassNames{});
    // CIFAR-10's test_batch is both val and test.
    if (!splits.empty() && splits.back().set->name(0) == set->name(0)) splits.pop_back();
    splits.push_back({name, std::move(set)});
  }
  return splits;
}

// An image of a split.
struct ImageId {
  std::size_t split = 0;
  std::int64_t index = 0;
};

void add_duplicates(const std::vector<Split>& splits, const std::vector<ImageId>& images,
                    const std::vector<ImageCheck>& found, DataReport& report) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].why.empty()) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return found[a].hash != found[b].hash ? found[a].hash < found[b].hash : a < b;
  });
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && found[order[end]].hash == found[order[begin]].hash) ++end;
    if (end - begin < 2) continue;
    DataReport::Duplicates group;
    const ImageId& first = images[order[begin]];
    for (std::size_t i = begin; i < end; ++i) {
      const ImageId& image = images[order[i]];
      const Dataset& set = *splits[image.split].set;
      group.names.push_back(set.name(image.index));
      group.across_splits |= image.split != first.split;
      group.across_classes |=
          set.classes()[static_cast<std::size_t>(set.label(image.index))] !=
          splits[first.split].set->classes()[static_cast<std::size_t>(splits[first.split].set->label(first.index))];
    }
    std::sort(group.names.begin(), group.names.end());
    report.duplicates.push_back(std::move(group));
  }
  std::sort(report.duplicates.begin(), report.duplicates.end(),
            [](const auto& a, const auto& b) { return a.names < b.names; });
}

void add_classes(const std::vector<Split>& splits, DataReport& report) {
  std::map<std::string, std::size_t> row_of;  // class name -> its row of the report
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const Dataset& set = *splits[s].set;
    std::vector<std::size_t> rows;  // class index of this split -> its row of the report
    for (const std::string& name : set.classes()) {
      const auto [where, added] = row_of.emplace(name, report.classes.size());
      if (added) report.classes.push_back({name, std::vector<std::int64_t>(splits.size())});
      rows.push_back(where->second);
    }
    for (std::int64_t i = 0; i < set.size(); ++i)
      ++report.classes[rows[static_cast<std::size_t>(set.label(i))]].images[s];
  }
  for (const DataReport::Class& one : report.classes) {
    for (std::size_t s = 0; s < splits.size(); ++s) {
      if (one.images[s] == 0) report.missing.emplace_back(one.name, splits[s].name);
    }
  }
}

}  // namespace

std::int64_t DataReport::Class::total() const { return std::accumulate(images.begin(), images.end(), std::int64_t{0}); }

DataReport check_data(const fs::path& folder, ThreadPool& pool,
                      const std::function<void(std::int64_t, std::int64_t)>& images_done) {
  const std::vector<Split> splits = open_splits(folder);
  DataReport report;
  std::vector<ImageId> images;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const Dataset& set = *splits[s].set;
    report.splits.push_back(splits[s].name);
    report.skipped.insert(report.skipped.end(), set.skipped().begin(), set.skipped().end());
    for (std::int64_t i = 0; i < set.size(); ++i) images.push_back({s, i});
  }
  report.images = static_cast<std::int64_t>(images.size());

  std::vector<ImageCheck> found(images.size());
  std::mutex mutex;
  std::int64_t done = 0;
  pool.parallel_for(report.images, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      found[i] = check_image(*splits[images[i].split].set, images[i].index);
      const std::lock_guard lock(mutex);
      images_done(++done, report.images);
    }
  });

  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::string name = splits[images[i].split].set->name(images[i].index);
    if (!found[i].why.empty()) report.broken.push_back({name, found[i].why});
    if (found[i].orientation != 1) report.turned.push_back({name, found[i].orientation});
  }
  add_duplicates(splits, images, found, report);
  add_classes(splits, report);
  return report;
}

void check_classes_of_splits(const fs::path& folder) {
  if (has_split(folder, "train")) open_validation(folder);  // throws if a class is not in train/
}

}  // namespace effnet::data
