#include "effnet/cli/report.h"

#include <algorithm>
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/program.h"
#include "effnet/cli/report_parts.h"
#include "effnet/report/run_folder.h"
#include "effnet/report/run_report.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kViewedImages = 12;  // the page shows the first ones that can be read

// The names of the images in predictions.csv, which are not training images.
std::vector<std::string> evaluated_names(const fs::path& run) {
  std::vector<std::string> names;
  const fs::path file = run / "predictions.csv";
  if (!fs::exists(file)) return names;
  for (const report::Prediction& one : report::read_predictions(file)) names.push_back(one.name);
  return names;
}

std::string one_run(const ReportOptions& options, const Globals& globals, Output& out) {
  const fs::path run = options.runs.front();
  const bool named = !options.data.empty();
  if (named && !fs::is_directory(options.data))
    throw input_error("--data: {}: no such folder (expected the run's dataset)", options.data);
  const RunImages images(run, options.data, out);
  ThreadPool pool(thread_count(globals));
  RunModel model(run, pool, out);
  report::ReportParts parts;
  parts.classes = model.labels().empty() ? images.classes() : model.labels();
  parts.thumbnail = report::thumbnails(images.read());
  parts.heat = model.heat(images.read());
  parts.views = model.views(images.read());
  parts.view_names = images.training_names(kViewedImages, evaluated_names(run));
  parts.counts = images.counts();
  parts.speed = model.speed();
  return report::run_report(run, parts);
}

// The settings that differ between the runs. Empty, with a warning, if a config.toml cannot be read as a recipe.
std::vector<report::ComparedSetting> different_settings(const std::vector<std::string>& runs, Output& out) {
  std::vector<report::ComparedSetting> different;
  try {
    std::vector<train::Recipe> recipes;
    recipes.reserve(runs.size());
    for (const std::string& run : runs) {
      const fs::path config = fs::path(run) / "config.toml";
      recipes.push_back(train::parse_recipe(read_text(config), config.string()));
    }
    for (const train::Setting& setting : train::settings()) {
      report::ComparedSetting row{std::string(setting.key), {}};
      for (const train::Recipe& recipe : recipes) row.values.push_back(train::value_text(setting, recipe));
      if (std::ranges::count(row.values, row.values.front()) < std::ssize(row.values))
        different.push_back(std::move(row));
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    out.warn(fmt::format("the page has no settings: {}", error.what()));
    different.clear();
  }
  return different;
}

// A relative URL. Bytes other than letters, digits and some punctuation become %XX. It begins with a dot, so that no
// part of a name is read as a scheme ("a:b/report.html").
std::string url_of(const fs::path& path) {
  const std::string text = path.generic_string();
  std::string url = text.starts_with("../") ? "" : "./";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       std::string_view("-_.~/").find(c) != std::string_view::npos;
    url += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return url;
}

std::string several_runs(const ReportOptions& options, Output& out) {
  std::error_code ignored;
  const fs::path from = options.out == "-" ? fs::current_path() : fs::absolute(options.out, ignored).parent_path();
  std::vector<report::ComparedRun> runs;
  for (const std::string& run : options.runs) {
    const fs::path page = fs::path(run) / "report.html";
    runs.push_back({run, fs::exists(page) ? url_of(fs::relative(page, from, ignored)) : ""});
  }
  return report::comparison_report(runs, different_settings(options.runs, out));
}

void check(const ReportOptions& options) {
  if (options.runs.size() == 1) return;
  if (options.runs.size() > report::kMaxComparedRuns)
    throw usage_error("RUN: too many runs (got {}, expected at most {})", options.runs.size(),
                      report::kMaxComparedRuns);
  if (options.out.empty())
    throw usage_error("-o is missing (got {} runs, expected a file for their common page)", options.runs.size())
        .with_hint("add -o FILE.html");
  if (!options.data.empty())
    throw usage_error("--data: not possible with several runs (got {} runs, expected 1)", options.runs.size())
        .with_hint("effnet report RUN --data DIR makes the page of one run");
}

}  // namespace

void declare_options(CLI::App& command, ReportOptions& options) {
  command.add_option("RUN", options.runs, "A run folder; several ones are compared on one page")->required();
  add_output(command, "-o,--out", options.out,
             "Write the page to this file; - means stdout; required with several runs [RUN/report.html]")
      ->type_name("FILE.html");
  command
      .add_option("--data", options.data, "Read the run's images from this folder [the folder that the run recorded]")
      ->type_name("DIR");
}

ReportResult run_report(const ReportOptions& options, const Globals& globals, Output& out) {
  check(options);
  ReportResult result;
  result.path = options.out.empty() ? (fs::path(options.runs.front()) / "report.html").string() : options.out;
  const bool to_stdout = is_stdout("-o", result.path, globals);
  for (const std::string& run : options.runs) check_not_input("-o", result.path, run);
  check_not_input("-o", result.path, options.data);
  result.page = options.runs.size() == 1 ? one_run(options, globals, out) : several_runs(options, out);
  if (!to_stdout) write_text(result.path, result.page);
  return result;
}

Json to_json(const ReportResult& result) { return {{"path", result.path}}; }

std::string to_text(const ReportResult& result) {
  return result.path == "-" ? result.page : fmt::format("written to {}\n", result.path);
}

Body declare_report(CLI::App& command, const Globals& globals) { return bind(command, globals, run_report); }

}  // namespace effnet::cli
