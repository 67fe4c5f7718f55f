// The section about the data: images of each class, broken files, duplicates and near-duplicates.
#include <algorithm>
#include <functional>
#include <map>

#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/svg.h"

namespace effnet::report {
namespace {

constexpr std::size_t kMaxBars = 40;    // with more classes only the smallest and the largest ones are drawn
constexpr std::size_t kMaxListed = 50;  // broken files, groups of duplicates
constexpr std::size_t kMaxGroups = 12;  // groups of near-duplicates with their images
constexpr std::size_t kMaxGroupImages = 4;

std::string bars(const std::vector<ClassCounts>& classes) {
  StackedBars chart;
  chart.title = "images of each class";
  std::vector<std::int64_t ClassCounts::*> splits;
  for (const auto& [name, split] : {std::pair("train", &ClassCounts::train), std::pair("val", &ClassCounts::val),
                                    std::pair("test", &ClassCounts::test)}) {
    const auto is_empty = [member = split](const ClassCounts& one) { return one.*member == 0; };
    if (std::ranges::all_of(classes, is_empty)) continue;
    chart.parts.emplace_back(name);
    splits.push_back(split);
  }
  for (const ClassCounts& one : classes) {
    std::vector<double> values;
    values.reserve(splits.size());
    for (const auto split : splits) values.push_back(static_cast<double>(one.*split));
    chart.rows.push_back({one.name, std::move(values)});
  }
  return svg(chart);
}

std::string class_counts(std::vector<ClassCounts> classes) {
  std::ranges::stable_sort(classes, std::greater{}, &ClassCounts::total);
  std::int64_t train = 0, val = 0, test = 0;
  for (const ClassCounts& one : classes) train += one.train, val += one.val, test += one.test;
  const std::int64_t largest = classes.front().total(), smallest = classes.back().total();
  std::string out = guide(fmt::format(
      "{} in {} classes: {} for training, {} for validation, {} for the test. Each bar is a class; its length is the "
      "number of "
      "images. The largest class has {}, the median class {}, the smallest {}. {}",
      count_of(train + val + test, "image"), grouped(static_cast<std::int64_t>(classes.size())), grouped(train),
      grouped(val), grouped(test), grouped(largest), grouped(classes[classes.size() / 2].total()), grouped(smallest),
      smallest * 10 < largest ? "The classes differ by more than a factor of 10: add images to the small classes."
      : smallest < 10 ? "A class with fewer than 10 images is learned badly and measured badly: add images to it."
                      : ""));
  if (classes.size() <= kMaxBars) return out + bars(classes);
  const auto half = static_cast<std::ptrdiff_t>(kMaxBars / 2);
  out += figure(fmt::format("The {} largest classes", half), bars({classes.begin(), classes.begin() + half}));
  return out + figure(fmt::format("The {} smallest classes", half), bars({classes.end() - half, classes.end()}));
}

std::string broken_files(const std::vector<FinetuneData::Broken>& broken) {
  if (broken.empty()) return {};
  std::string out = fmt::format("<details open><summary>{} cannot be read</summary>\n<ul>\n",
                                count_of(static_cast<std::int64_t>(broken.size()), "file"));
  for (std::size_t i = 0; i < std::min(broken.size(), kMaxListed); ++i)
    out += fmt::format("<li>{} <span class=\"soft\">{}</span></li>\n", escaped(shortened(broken[i].path, 200)),
                       escaped(shortened(broken[i].why, 300)));
  if (broken.size() > kMaxListed) out += fmt::format("<li>and {} more</li>\n", broken.size() - kMaxListed);
  return out + "</ul>\n<p class=\"soft\">These files were left out. Replace or delete them.</p></details>\n";
}

std::string duplicate_groups(const std::vector<std::vector<std::string>>& groups) {
  if (groups.empty()) return {};
  std::string out = fmt::format("<details><summary>{} of images with the same pixels</summary>\n<ul>\n",
                                count_of(static_cast<std::int64_t>(groups.size()), "group"));
  for (std::size_t i = 0; i < std::min(groups.size(), kMaxListed); ++i) {
    std::string names;
    for (std::size_t j = 0; j < std::min(groups[i].size(), kMaxListed); ++j)
      names += fmt::format("{}{}", j > 0 ? ", " : "", escaped(shortened(groups[i][j], 200)));
    out += fmt::format("<li>{}{}</li>\n", names, groups[i].size() > kMaxListed ? ", \xE2\x80\xA6" : "");
  }
  if (groups.size() > kMaxListed) out += fmt::format("<li>and {} more</li>\n", groups.size() - kMaxListed);
  return out + "</ul></details>\n";
}

using Group = std::vector<const NearDuplicate*>;

std::string pair_box(const Group& group, const Thumbnail& thumbnail) {
  std::string out = "<div class=\"pair\">";
  for (std::size_t i = 0; i < std::min(group.size(), kMaxGroupImages); ++i) {
    out += fmt::format("<div><div class=\"image\">{}</div><b>{}</b><div class=\"name\">{}</div></div>",
                       image_of(group[i]->name, thumbnail, group[i]->name), escaped(group[i]->class_name),
                       escaped(shortened(group[i]->name, 120)));
  }
  if (group.size() > kMaxGroupImages) out += fmt::format("<div>and {} more</div>", group.size() - kMaxGroupImages);
  return out + "</div>\n";
}

std::string near_duplicates(const std::vector<NearDuplicate>& images, const Thumbnail& thumbnail) {
  std::vector<Group> across, within;  // in the order of the file
  std::map<std::int64_t, Group> groups;
  std::vector<std::int64_t> order;
  for (const NearDuplicate& one : images) {
    Group& group = groups[one.group];
    if (group.empty()) order.push_back(one.group);
    group.push_back(&one);
  }
  for (const std::int64_t id : order) {
    const Group& group = groups[id];
    const bool same = std::ranges::all_of(group, [&](auto one) { return one->class_name == group[0]->class_name; });
    (same ? within : across).push_back(group);
  }
  const auto boxes = [&](const std::vector<Group>& list) {
    std::string out = "<div class=\"pairs\">\n";
    for (std::size_t i = 0; i < std::min(list.size(), kMaxGroups); ++i) out += pair_box(list[i], thumbnail);
    out += "</div>\n";
    if (list.size() > kMaxGroups)
      out += note(fmt::format("near_duplicates.csv has {}.",
                              count_of(static_cast<std::int64_t>(list.size() - kMaxGroups), "more group")));
    return out;
  };
  std::string out;
  if (!across.empty()) {
    out += "<h3>Images that look the same, in different classes</h3>\n" +
           guide(
               "Each box has images that look the same but have different classes. At most one of these labels is "
               "right: delete the wrong copy, or move it to the right class, and run finetune again.") +
           boxes(across);
  }
  if (!within.empty()) {
    out += fmt::format("<details><summary>{} of images that look the same, in one class</summary>\n",
                       count_of(static_cast<std::int64_t>(within.size()), "group")) +
           guide(
               "The images of a group are all in the same split, so they do not make the measured accuracy too "
               "high.") +
           boxes(within) + "</details>\n";
  }
  return out;
}

}  // namespace

std::string data_summary(const RunFacts& run, const Thumbnail& thumbnail) {
  std::string out;
  if (!run.counts.empty()) out += class_counts(run.counts);
  if (run.finetune) {
    out += broken_files(run.finetune->data.broken);
    out += duplicate_groups(run.finetune->data.duplicates);
  }
  out += near_duplicates(run.near_duplicates, thumbnail);
  if (run.finetune && run.finetune->data.images) {
    std::string none;
    const auto add = [&](bool is_empty, const char* what) {
      if (is_empty) none += (none.empty() ? "" : ", ") + std::string(what);
    };
    add(run.finetune->data.broken.empty(), "files that cannot be read");
    add(run.finetune->data.duplicates.empty(), "images with the same pixels");
    add(run.near_duplicates.empty(), "images that look the same");
    if (!none.empty()) out += note("None found: " + none + ".");
  }
  return out;
}

}  // namespace effnet::report
