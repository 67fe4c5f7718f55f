// Webdataset shards as a dataset. A sample is an image, KEY.jpg, and its label, KEY.cls. In webdataset, KEY is the name
// up to its first dot, but users' images have dots in their names. So the label of "IMG.2024.jpg" is "IMG.2024.cls" if
// that file exists, otherwise "IMG.cls". If a key has an image "KEY.jpg", its other images ("KEY.mask.png") are samples
// only if they have their own labels.
#include <algorithm>
#include <map>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/lines.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"
#include "effnet/data/tar_index.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLongestLabel = 256;

struct Row {
  std::string member;
  std::int64_t offset = 0, size = 0;
  std::int32_t shard = 0;
  std::int32_t label = 0;
};

class ShardDataset final : public Dataset {
 public:
  ShardDataset(std::vector<fs::path> shards, std::vector<std::string> shard_names, std::vector<std::string> classes,
               std::vector<Row> rows, std::vector<SkippedFile> skipped)
      : shards_(std::move(shards)),
        shard_names_(std::move(shard_names)),
        classes_(std::move(classes)),
        rows_(std::move(rows)),
        skipped_(std::move(skipped)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t label(std::int64_t index) const override { return row(index).label; }
  std::string name(std::int64_t index) const override {
    return shard_names_[static_cast<std::size_t>(row(index).shard)] + ":" + row(index).member;
  }
  ImageData read(std::int64_t index) const override {
    const Row& one = row(index);
    return read_bytes(shards_[static_cast<std::size_t>(one.shard)], one.offset, one.size);
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  const Row& row(std::int64_t index) const { return rows_.at(static_cast<std::size_t>(index)); }

  std::vector<fs::path> shards_;
  std::vector<std::string> shard_names_;
  std::vector<std::string> classes_;
  std::vector<Row> rows_;
  std::vector<SkippedFile> skipped_;
};

std::string_view base_of(std::string_view name) { return name.substr(name.rfind('/') + 1); }

// "a/b.c.jpg" -> "a/b.c".
std::string up_to_last_dot(std::string_view name) {
  const std::size_t dot = base_of(name).rfind('.');
  return std::string(dot == std::string_view::npos ? name : name.substr(0, name.size() - base_of(name).size() + dot));
}
// "a/b.c.jpg" -> "a/b", which is webdataset's key.
std::string up_to_first_dot(std::string_view name) {
  return std::string(
      name.substr(0, name.size() - base_of(name).size() + base_of(name).substr(0, base_of(name).find('.')).size()));
}

struct Sample {  // `label` is the text of the .cls file
  Row row;
  std::string label;
};

class ShardReader {
 public:
  ShardReader(const fs::path& shard, std::int32_t number) : shard_(shard), number_(number) {
    for (TarMember& member : index_tar(shard)) add_member(std::move(member));
  }

  // Appends the complete samples to `samples`, in the order of their images, and the other files to `skipped`.
  void add_samples(std::vector<Sample>& samples, std::vector<SkippedFile>& skipped) {
    skipped.insert(skipped.end(), skipped_.begin(), skipped_.end());
    std::set<std::string> used, reported = skipped_keys_;  // keys of samples; keys of skipped files
    const auto skip = [&](const std::string& member, const std::string& why) {
      skipped.push_back({path_of(member), why});
      reported.insert(up_to_first_dot(member));
    };
    for (Row& row : images_) {
      const std::string stem = up_to_last_dot(row.member), key = up_to_first_dot(row.member);
      // Whether the image has the label of webdataset's key, which several images can share.
      const bool uses_key = stem != key && !labels_.contains(stem);
      const auto label = labels_.find(uses_key ? key : stem);
      if (label == labels_.end()) {
        skip(row.member, "no .cls file for this image");
      } else if ((uses_key && stems_.contains(key)) || !used_labels_.insert(label->first).second) {
        skip(row.member, "a second image with the same key");
      } else {
        used.insert(key);
        samples.push_back({std::move(row), label->second});
      }
    }
    for (const std::string& member : others_) {
      if (!used.contains(up_to_first_dot(member))) skip(member, vision::about_other_name(member));
    }
    for (const auto& [stem, label] : labels_) {
      const std::string key = up_to_first_dot(stem);
      if (!used.contains(key) && !reported.contains(key)) skip(stem + ".cls", "a label without an image");
    }
  }

 private:
  fs::path path_of(const std::string& member) const { return shard_.string() + ":" + member; }

  void add_member(TarMember member) {
    check_interrupt();
    const std::string_view base = base_of(member.name);
    const bool image = is_image_name(member.name);
    if (base.starts_with('.')) {  // macOS writes "._a.jpg" beside "a.jpg"
      if (image) skipped_.push_back({path_of(member.name), "hidden: its name begins with a dot"});
    } else if (!member.plain) {
      skipped_.push_back({path_of(member.name), "a link or a sparse file"});
      skipped_keys_.insert(up_to_first_dot(member.name));
    } else if (image) {
      stems_.insert(up_to_last_dot(member.name));
      images_.push_back({std::move(member.name), member.offset, member.size, number_, 0});
    } else if (base.ends_with(".cls")) {
      if (member.size > kLongestLabel) {
        throw input_error("{}: not a label (got {} bytes, expected at most {})", member.name, member.size,
                          kLongestLabel);
      }
      const std::vector<std::byte> bytes = read_bytes(shard_, member.offset, member.size);
      const std::string_view label = trimmed(without_bom({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
      const auto [first, added] = labels_.emplace(up_to_last_dot(member.name), label);
      if (!added && first->second != label) {
        throw input_error("{}: two labels for one key (got {} and {}, expected one)", member.name,
                          in_quotes(first->second), in_quotes(label))
            .with_hint("keys must be unique in a shard: give images of two folders names such as a/0.jpg and b/0.jpg");
      }
    } else {
      others_.push_back(std::move(member.name));
    }
  }

  const fs::path& shard_;
  const std::int32_t number_;
  std::map<std::string, std::string> labels_;  // name without ".cls" -> label
  std::vector<Row> images_;
  std::set<std::string> stems_, used_labels_;  // image names without extension; labels in use
  std::set<std::string> skipped_keys_;         // keys of the files in skipped_
  std::vector<std::string> others_;
  std::vector<SkippedFile> skipped_;
};

// Adds the files beside the shards that are not shards to `skipped`. Most of them are compressed archives.
void add_non_shards(const fs::path& root, const std::vector<fs::path>& shards, std::vector<SkippedFile>& skipped) {
  const fs::path folder = shards.front().parent_path();
  const std::string first = shards.front().filename().string();
  const bool beside = folder == (root / "").parent_path();                        // root may end with a slash
  const std::string prefix = beside ? first.substr(0, first.find('-') + 1) : "";  // "train-"
  for (fs::path& path : files_in(folder, [&](const std::string& name) {
         return name.starts_with(prefix) && !name.starts_with('.') && !name.ends_with(".tar");
       }))
    skipped.push_back({std::move(path), "not an uncompressed tar file by its name"});
}

std::vector<std::string> read_classes(const fs::path& file) {
  std::vector<std::string> classes;
  const std::string text = read_text(file);
  for (const std::string_view line : text_lines(text, file.string())) {
    if (const std::string_view name = trimmed(line); !name.empty()) classes.emplace_back(name);
  }
  check_class_names(classes, NamesAre::texts, file.string(), "a line");
  if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size())
    throw input_error("{}: duplicate class name (got {} names in all, expected each only once)", file.string(),
                      classes.size());
  return classes;
}

std::vector<std::string> class_list(const fs::path& root, const ClassNames& names) {
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i < names.classes; ++i) classes.push_back(names.name(i));
  std::error_code ignored;
  if (classes.empty() && fs::exists(root / "classes.txt", ignored)) classes = read_classes(root / "classes.txt");
  return classes;
}

// Sets the class of all samples. Either all labels are names, or all are indices. If `classes` is empty, it becomes the
// list of all labels (classes_of_labels).
void set_labels(const std::vector<fs::path>& shards, const ClassNames& names, std::vector<std::string>& classes,
                std::vector<Sample>& samples) {
  std::map<std::string, std::pair<std::size_t, std::int64_t>> known;  // label -> its first sample, its class
  for (std::size_t i = 0; i < samples.size(); ++i) known.try_emplace(samples[i].label, i, 0);
  std::vector<std::size_t> first;
  LabelList list{.labels = {},
                 .kind = LabelKind::unknown,
                 .source = shards.front().parent_path().string(),
                 .hint = "use class names that are not numbers in classes.txt",
                 .where =
                     [&](std::size_t i) {
                       const Row& row = samples[first[i]].row;
                       return fmt::format("{}:{}", shards[static_cast<std::size_t>(row.shard)].string(), row.member);
                     },
                 .what = "a label in a .cls file"};
  for (const auto& [label, entry] : known) {
    list.labels.push_back(label);
    first.push_back(entry.first);
  }
  if (classes.empty()) classes = classes_of_labels(list);
  const ClassNames all{.classes = static_cast<std::int64_t>(classes.size()),
                       .ids = {},
                       .labels = classes,
                       .owner = names.classes == 0 ? "the dataset" : names.owner};
  const ClassAssignment assignment = match_labels(list, all, {});
  for (std::size_t i = 0; i < list.labels.size(); ++i) known.at(list.labels[i]).second = assignment.classes[i];
  for (Sample& sample : samples) sample.row.label = static_cast<std::int32_t>(known.at(sample.label).second);
}

}  // namespace

std::unique_ptr<Dataset> open_shards(const fs::path& root, const std::vector<fs::path>& shards,
                                     const ClassNames& names) {
  std::vector<Sample> samples;
  std::vector<SkippedFile> skipped;
  std::vector<std::string> shard_names;
  add_non_shards(root, shards, skipped);
  for (const fs::path& shard : shards) {
    shard_names.push_back(relative_name(root, shard));
    try {
      ShardReader(shard, static_cast<std::int32_t>(shard_names.size() - 1)).add_samples(samples, skipped);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      throw error.in(shard.string());
    }
  }
  std::vector<std::string> classes = class_list(root, names);
  set_labels(shards, names, classes, samples);
  std::vector<Row> rows;
  rows.reserve(samples.size());
  for (Sample& sample : samples) rows.push_back(std::move(sample.row));
  return std::make_unique<ShardDataset>(shards, std::move(shard_names), std::move(classes), std::move(rows),
                                        std::move(skipped));
}

}  // namespace effnet::data
