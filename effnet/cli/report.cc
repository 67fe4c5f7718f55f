#include "effnet/cli/report.h"

#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/cli/arguments.h"
#include "effnet/data/dataset.h"
#include "effnet/formats/model_file.h"
#include "effnet/report/run_report.h"
#include "effnet/report/thumbnails.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Returns the folder of the run's images from summary.json, or an empty text.
std::string data_folder(const fs::path& run) {
  const fs::path file = run / "summary.json";
  if (!fs::exists(file)) return {};
  const Json summary = Json::parse(read_text(file), nullptr, false);  // run_report reports a corrupt file
  if (!summary.is_object() || !summary.contains("data") || !summary["data"].is_string()) return {};
  return summary["data"].get<std::string>();
}

// Opens the dataset of the images in predictions.csv: the validation split, or the training split if there is no
// validation split. Returns null and warns if the dataset cannot be read; the page then has no images, and no class
// names from the dataset.
std::shared_ptr<const data::Dataset> open_images(const std::string& folder, Output& out) {
  if (folder.empty()) return nullptr;
  try {
    std::shared_ptr<const data::Dataset> set = data::open_validation({folder});
    return set ? set : data::open_dataset({folder}, "train");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    out.warn(fmt::format("the page has no images: {}", error.what()));
    return nullptr;
  }
}

std::vector<std::string> class_names(const fs::path& run, const data::Dataset* images, Output& out) {
  const fs::path model = run / "model.safetensors";
  if (fs::exists(model)) {
    try {
      std::vector<std::string> labels = formats::read_model(model).labels;
      if (!labels.empty()) return labels;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      out.warn(fmt::format("cannot read class names from the run's model: {}", error.what()));
    }
  }
  return images != nullptr ? images->classes() : std::vector<std::string>();
}

}  // namespace

void declare_options(CLI::App& command, ReportOptions& options) {
  command.add_option("RUN", options.run, "A run folder")->required();
  command.add_option("-o,--out", options.out, "Write the page to this file; - means stdout [RUN/report.html]")
      ->type_name("FILE.html");
  command
      .add_option("--data", options.data, "Read the run's images from this folder [the folder that the run recorded]")
      ->type_name("DIR");
}

ReportResult run_report(const ReportOptions& options, const Globals& globals, Output& out) {
  const fs::path run = options.run;
  const bool named = !options.data.empty();
  if (named && !fs::is_directory(options.data))
    throw input_error("--data: {}: no such folder (expected the run's dataset)", options.data);
  const auto images = open_images(named ? options.data : data_folder(run), out);
  ReportResult result;
  result.page = report::run_report(run, class_names(run, images.get(), out), report::thumbnails(images));
  result.path = options.out.empty() ? (run / "report.html").string() : options.out;
  if (!is_stdout("-o", result.path, globals)) write_text(result.path, result.page);
  return result;
}

Json to_json(const ReportResult& result) { return {{"path", result.path}}; }

std::string to_text(const ReportResult& result) {
  return result.path == "-" ? result.page : fmt::format("written to {}\n", result.path);
}

Body declare_report(CLI::App& command, const Globals& globals) { return bind(command, globals, run_report); }

}  // namespace effnet::cli
