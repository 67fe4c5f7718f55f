// Webdataset shards as a Dataset: members of one key (the path up to the first dot of the file's name) are one sample.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/data/sources.h"
#include "effnet/data/tar_index.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLongestLabel = 256;
constexpr std::int64_t kMostClasses = 1 << 20;  // that numbers without names may tell

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
  Picture read(std::int64_t index) const override {
    const Row& one = row(index);
    try {
      return read_bytes(shards_[static_cast<std::size_t>(one.shard)], one.offset, one.size);
    } catch (const Error& error) {
      throw error.in(name(index));
    }
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

// "a/b.c.jpg" -> "a/b" and "c.jpg".
std::pair<std::string, std::string> key_and_extension(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  return text;
}

struct Sample {  // with the label as it stands in the shard
  Row row;
  std::string label;
};

// One shard's samples, in the order of their pictures; what is incomplete goes to `skipped`.
void read_shard(const fs::path& shard, std::int32_t number, std::vector<Sample>& samples,
                std::vector<SkippedFile>& skipped) {
  std::map<std::string, std::string> labels;
  std::set<std::string> with_picture;
  std::vector<Row> pictures;
  const auto place = [&](const std::string& member) { return fs::path(shard.string() + ":" + member); };
  for (TarMember& member : index_tar(shard)) {
    const auto [key, extension] = key_and_extension(member.name);
    const bool picture = extension.find('.') == std::string::npos && is_picture_name("x." + extension);
    if (!member.plain) {
      skipped.push_back({place(member.name), "a link or a sparse file"});
    } else if (picture && !with_picture.insert(key).second) {
      skipped.push_back({place(member.name), "a second picture of its key"});
    } else if (picture) {
      pictures.push_back({std::move(member.name), member.offset, member.size, number, 0});
    } else if (extension == "cls") {
      if (member.size > kLongestLabel) {
        throw input_error("{}: not a label (got {} bytes, expected at most {})", member.name, member.size,
                          kLongestLabel);
      }
      const std::vector<std::byte> bytes = read_bytes(shard, member.offset, member.size);
      labels[key] = trimmed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }
  for (Row& row : pictures) {
    const auto label = labels.find(key_and_extension(row.member).first);
    if (label == labels.end()) {
      skipped.push_back({place(row.member), "no .cls file beside it"});
    } else {
      samples.push_back({std::move(row), label->second});
    }
  }
}

std::vector<std::string> read_classes(const fs::path& file) {
  std::vector<std::string> classes;
  std::istringstream in(read_text(file));
  for (std::string line; std::getline(in, line);) {
    if (std::string name = trimmed(std::move(line)); !name.empty()) classes.push_back(std::move(name));
  }
  if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size())
    throw input_error("{}: a class name comes twice (expected {} different ones)", file.string(), classes.size());
  return classes;
}

// The classes of shards without a list: numbers 0 up to the largest, or the names that occur, sorted.
std::vector<std::string> own_classes(const std::vector<Sample>& samples, const std::vector<std::string>& shard_names) {
  std::set<std::string> names;
  std::int64_t largest = -1;
  bool numbers = true;
  for (const Sample& sample : samples) {
    names.insert(sample.label);
    const std::optional<std::int64_t> number = class_number(sample.label);
    numbers = numbers && number.has_value();
    if (number && *number >= kMostClasses) {
      throw input_error("{}:{}: label out of range (got {}, expected 0 to {})",
                        shard_names[static_cast<std::size_t>(sample.row.shard)], sample.row.member, *number,
                        kMostClasses - 1);
    }
    largest = std::max(largest, number.value_or(0));
  }
  if (!numbers) return {names.begin(), names.end()};
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i <= largest; ++i) classes.push_back(std::to_string(i));
  return classes;
}

std::vector<std::string> class_list(const fs::path& root, const ClassNames& names) {
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i < names.classes; ++i) {
    const auto at = static_cast<std::size_t>(i);
    classes.push_back(at < names.ids.size()      ? names.ids[at]
                      : at < names.labels.size() ? names.labels[at]
                                                 : std::to_string(i));
  }
  std::error_code ignored;
  if (classes.empty() && fs::exists(root / "classes.txt", ignored)) classes = read_classes(root / "classes.txt");
  return classes;
}

}  // namespace

std::unique_ptr<Dataset> open_shards(const fs::path& root, const std::vector<fs::path>& shards,
                                     const ClassNames& names) {
  std::vector<Sample> samples;
  std::vector<SkippedFile> skipped;
  std::vector<std::string> shard_names;
  for (const fs::path& shard : shards) {
    shard_names.push_back(relative_name(root, shard));
    try {
      read_shard(shard, static_cast<std::int32_t>(shard_names.size() - 1), samples, skipped);
    } catch (const Error& error) {
      throw error.in(shard.string());
    }
  }
  std::vector<std::string> classes = class_list(root, names);
  if (classes.empty()) classes = own_classes(samples, shard_names);

  std::map<std::string, std::int64_t> index_of;
  for (std::size_t i = 0; i < classes.size(); ++i) index_of.emplace(classes[i], static_cast<std::int64_t>(i));
  const auto count = static_cast<std::int64_t>(classes.size());
  std::vector<Row> rows;
  for (Sample& sample : samples) {
    const auto named = index_of.find(sample.label);
    const std::int64_t index = named != index_of.end() ? named->second : class_number(sample.label).value_or(-1);
    if (index < 0 || index >= count) {
      throw input_error("{}:{}: label out of range (got {}, expected a class name or 0 to {})",
                        shards[static_cast<std::size_t>(sample.row.shard)].string(), sample.row.member,
                        in_quotes(sample.label), count - 1);
    }
    sample.row.label = static_cast<std::int32_t>(index);
    rows.push_back(std::move(sample.row));
  }
  return std::make_unique<ShardDataset>(shards, std::move(shard_names), std::move(classes), std::move(rows),
                                        std::move(skipped));
}

}  // namespace effnet::data
