// effnet report RUN: the page about a training run.
#include "effnet/report/run_report.h"

#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/cli/output.h"
#include "effnet/data/dataset.h"
#include "effnet/formats/model_file.h"
#include "effnet/report/thumbnails.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Where the run's pictures lay, as summary.json says; empty if it does not.
std::string data_folder(const fs::path& run) {
  const fs::path file = run / "summary.json";
  if (!fs::exists(file)) return {};
  const Json summary = Json::parse(read_text(file), nullptr, false);  // run_report says what is wrong with a broken one
  if (!summary.is_object() || !summary.contains("data") || !summary["data"].is_string()) return {};
  return summary["data"].get<std::string>();
}

// The set that predictions.csv is about: what the run validated on, or a part of the training set. The page does
// without its pictures and its class names if they are gone.
std::shared_ptr<const data::Dataset> open_pictures(const std::string& folder) {
  if (folder.empty()) return nullptr;
  try {
    std::shared_ptr<const data::Dataset> set = data::open_validation(folder);
    return set ? set : data::open_dataset(folder, "train");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    warn(fmt::format("the page has no pictures: {}", error.what()));
    return nullptr;
  }
}

std::vector<std::string> class_names(const fs::path& run, const data::Dataset* pictures) {
  const fs::path model = run / "model.safetensors";
  if (fs::exists(model)) {
    try {
      std::vector<std::string> labels = formats::read_model(model).labels;
      if (!labels.empty()) return labels;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      warn(fmt::format("no class names from the run's model: {}", error.what()));
    }
  }
  return pictures != nullptr ? pictures->classes() : std::vector<std::string>();
}

}  // namespace

Body declare_report(CLI::App& command, const Globals& globals) {
  struct Options {
    std::string run, out, data;
  };
  auto o = std::make_shared<Options>();
  command.add_option("RUN", o->run, "The folder of a run")->required();
  command.add_option("-o,--out", o->out, "The page to write, - for stdout [RUN/report.html]")->type_name("FILE.html");
  command.add_option("--data", o->data, "Where the run's pictures lie now [where they lay]")->type_name("DIR");
  return [o, &globals] {
    const fs::path run = o->run;
    const bool named = !o->data.empty();
    if (named && !fs::is_directory(o->data))
      throw input_error("--data: {}: no such folder (expected the run's data)", o->data);
    const auto pictures = open_pictures(named ? o->data : data_folder(run));
    const std::string page = report::run_report(run, class_names(run, pictures.get()), report::thumbnails(pictures));
    const std::string path = o->out.empty() ? (run / "report.html").string() : o->out;
    if (is_stdout("-o", path, globals)) {
      print(page);
      return 0;
    }
    write_text(path, page);
    if (globals.json) {
      print_json({{"path", path}});
    } else {
      print(fmt::format("written to {}\n", path));
    }
    return 0;
  };
}

}  // namespace effnet::cli
