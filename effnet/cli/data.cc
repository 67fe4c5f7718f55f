#include "effnet/cli/data.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

using data::DataReport;

std::string path_in(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

constexpr std::size_t kShown = 10;  // items that the text output shows per list; --json lists all

// Returns a table of the images per class. If there are more than 2 * kShown classes, it has only the kShown classes
// with the most images and the kShown classes with the fewest.
std::string class_table(const DataReport& report) {
  std::vector<report::Column> columns{{"class", report::Align::left}};
  for (const std::string& split : report.splits) columns.push_back({split == "." ? "images" : split});
  columns.push_back({"", report::Align::left});
  report::Table table(std::move(columns));
  std::vector<DataReport::Class> classes = report.classes;
  std::stable_sort(classes.begin(), classes.end(), [](const auto& a, const auto& b) { return a.total() > b.total(); });
  const std::int64_t largest = classes.front().total();
  const bool shortened = classes.size() > 2 * kShown;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (shortened && i == kShown) {
      i = classes.size() - kShown;
      std::vector<std::string> gap(report.splits.size() + 2);
      gap[0] = fmt::format("... {} more", classes.size() - 2 * kShown);
      table.row(std::move(gap));
    }
    const DataReport::Class& one = classes[i];
    std::vector<std::string> cells{in_quotes(one.name)};
    for (const std::int64_t count : one.images) cells.push_back(grouped(count));
    cells.push_back(std::string(static_cast<std::size_t>(one.total() * 30 / std::max<std::int64_t>(largest, 1)), '#'));
    table.row(std::move(cells));
  }
  std::string text = table.text();
  const std::int64_t smallest = classes.back().total();
  if (smallest > 0 && smallest < largest) {
    text +=
        fmt::format("largest class / smallest: {:.1f}\n", static_cast<double>(largest) / static_cast<double>(smallest));
  }
  return text;
}

// Returns a line such as "corrupt: 3", followed by the first kShown items, one per line.
template <class Items, class Line>
std::string section(std::string_view title, const Items& items, const Line& line) {
  if (items.empty()) return fmt::format("{}: none\n", title);
  std::string text = fmt::format("{}: {}\n", title, items.size());
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i) text += "  " + line(items[i]) + "\n";
  if (items.size() > kShown) text += fmt::format("  ... {} more (--json lists all)\n", items.size() - kShown);
  return text;
}

std::string group_line(const DataReport::Duplicates& group, std::string_view relation) {
  std::string text;
  for (std::size_t i = 0; i < std::min(group.names.size(), kShown); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : relation, in_quotes(group.names[i]));
  if (group.names.size() > kShown) text += fmt::format(" and {} more", group.names.size() - kShown);
  if (group.across_splits) text += "  [across splits: a leak]";
  if (group.across_classes) text += "  [different labels]";
  return text;
}

Json paths_of(const std::string& folder, const DataReport::Duplicates& group) {
  Json paths = Json::array();
  for (const std::string& name : group.names) paths.push_back(path_in(folder, name));
  return paths;
}

}  // namespace

void declare_options(CLI::App& command, DataCheckOptions& options) {
  command
      .add_option(
          "DIR", options.folder,
          "A folder with train/ and val/ (or test/), or with class folders, or with --labels a folder of images")
      ->required();
  command.add_option("--labels", options.labels, kLabelsHelp)->type_name("CSV");
}

DataCheckResult run_data_check(const DataCheckOptions& options, const Globals& globals, Output& out) {
  ThreadPool pool(thread_count(globals));
  std::optional<Progress> progress;
  const auto images_done = [&](std::int64_t done, std::int64_t total) {
    if (!progress) progress.emplace(out, "check", total);
    progress->update(done);
    check_interrupt();
  };
  return {options.folder, data::check_data({options.folder, options.labels}, pool, images_done)};
}

Json to_json(const DataCheckResult& result) {
  const auto& [folder, report] = result;
  Json classes = Json::array(), broken = Json::array(), duplicates = Json::array(), near_duplicates = Json::array(),
       leaks = Json::array(), conflicts = Json::array(), turned = Json::array(), missing = Json::array(),
       skipped = Json::array();
  for (const DataReport::Class& one : report.classes) {
    Json row{{"name", one.name}, {"images", one.total()}};
    for (std::size_t s = 0; s < report.splits.size(); ++s) row["splits"][report.splits[s]] = one.images[s];
    classes.push_back(std::move(row));
  }
  for (const data::CorruptImage& image : report.broken)
    broken.push_back({{"path", path_in(folder, image.name)}, {"why", image.why}});
  for (const DataReport::Duplicates& group : report.duplicates) {
    Json paths = paths_of(folder, group);
    if (group.across_splits) leaks.push_back(paths);
    if (group.across_classes) conflicts.push_back(paths);
    duplicates.push_back(std::move(paths));
  }
  for (const DataReport::Duplicates& group : report.near_duplicates) near_duplicates.push_back(paths_of(folder, group));
  for (const DataReport::Turned& image : report.turned)
    turned.push_back({{"path", path_in(folder, image.name)}, {"orientation", image.orientation}});
  for (const auto& [name, split] : report.missing) missing.push_back({{"class", name}, {"split", split}});
  for (const data::SkippedFile& file : report.skipped)
    skipped.push_back({{"path", file.path.string()}, {"why", file.why}});
  return {{"images", report.images},
          {"splits", report.splits},
          {"classes", std::move(classes)},
          {"broken", std::move(broken)},
          {"duplicates", std::move(duplicates)},
          {"leaks", std::move(leaks)},
          {"conflicts", std::move(conflicts)},
          {"turned", std::move(turned)},
          {"missing", std::move(missing)},
          {"skipped", std::move(skipped)},
          {"near_duplicates", std::move(near_duplicates)},
          {"notes", report.notes}};
}

std::string to_text(const DataCheckResult& result) {
  const DataReport& report = result.report;
  std::string text;
  std::string splits;
  for (std::size_t s = 0; s < report.splits.size(); ++s) {
    std::int64_t count = 0;
    for (const DataReport::Class& one : report.classes) count += one.images[s];
    splits += fmt::format("{}{} {}", s == 0 ? "" : ", ", report.splits[s], grouped(count));
  }
  text += fmt::format("{} in {}", count_of(report.images, "image"), count_of(std::ssize(report.classes), "class"));
  text += report.splits.front() == "."
              ? " (not split: effnet finetune splits them itself; effnet train needs train/ and val/, which effnet "
                "data split makes)\n\n"
              : " (" + splits + ")\n\n";
  text += class_table(report) + "\n";
  text += section("corrupt", report.broken, [](const data::CorruptImage& image) {
    return fmt::format("{}: {}", in_quotes(image.name), image.why);
  });
  text += section("duplicates", report.duplicates, [](const auto& group) { return group_line(group, " = "); });
  text +=
      section("near-duplicates", report.near_duplicates, [](const auto& group) { return group_line(group, " ~ "); });
  text += section("EXIF orientation other than 1", report.turned, [](const DataReport::Turned& image) {
    return fmt::format("{}: orientation {}", in_quotes(image.name), image.orientation);
  });
  text += section("classes missing in a split", report.missing,
                  [](const auto& one) { return fmt::format("{} in {}", in_quotes(one.first), one.second); });
  if (!report.skipped.empty()) {
    text += section("files not read", report.skipped, [](const data::SkippedFile& file) {
      return fmt::format("{}: {}", in_quotes(file.path.string()), file.why);
    });
  }
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  return text;
}

Body declare_data(CLI::App& command, const Globals& globals) {
  auto check_options = std::make_shared<DataCheckOptions>();
  auto split_options = std::make_shared<DataSplitOptions>();
  command.require_subcommand(1);
  const CLI::App* check = command.add_subcommand(
      "check", "Decode every image; list corrupt images, duplicates, EXIF orientations and images per class");
  CLI::App* split = command.add_subcommand(
      "split", "Write the images to the folders train, val and test, by their content; duplicates stay together");
  declare_options(*command.get_subcommand("check"), *check_options);
  declare_options(*split, *split_options);
  return [=, &globals](Output& out) {
    if (!check->parsed()) {
      show(run_data_split(*split_options, globals, out), globals, out);
      return 0;
    }
    show(run_data_check(*check_options, globals, out), globals, out);
    // Throws what training would throw, such as a class that is missing in a split. Called after the report is shown,
    // because the report lists these classes.
    data::check_trainable({check_options->folder, check_options->labels});
    return 0;
  };
}

}  // namespace effnet::cli
