#include "effnet/cli/probe.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <optional>

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/known_run.h"
#include "effnet/cli/output_files.h"

namespace effnet::cli {
namespace {

constexpr std::size_t kLabelErrors = 30;  // that the results list

void warn_corrupt(const std::vector<data::CorruptImage>& corrupt, Output& out) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(corrupt.size(), kShown); ++i)
    out.warn(fmt::format("skipped {}: {}", in_quotes(corrupt[i].name), corrupt[i].why));
  if (corrupt.size() > kShown) out.warn(fmt::format("skipped {} more (--json lists all)", corrupt.size() - kShown));
}

// The number of evaluated images that MODEL's run has used; empty if MODEL is not from such a run.
std::optional<std::int64_t> used_images(const ProbeCommandOptions& o, const transfer::ProbeSets& sets, ThreadPool& pool,
                                        Output& out) {
  const std::optional<KnownRun> run = find_known_run(o.model, o.load, out);
  if (!run) return {};
  std::vector<std::shared_ptr<const data::Dataset>> evaluated = sets.training;  // by cross-validation
  if (sets.evaluation) evaluated = {sets.evaluation};
  std::vector<data::ImageContent> contents;
  for (const std::shared_ptr<const data::Dataset>& set : evaluated) {
    Progress progress(out, "read", set->size());
    std::vector<data::ImageContent> some =
        data::read_contents(*set, pool, [&](std::int64_t done, std::int64_t) { progress.update(done); });
    std::ranges::move(some, std::back_inserter(contents));
  }
  return count_used(*run, contents, o.data, out);
}

std::string name_of(const transfer::ProbeReport& report, std::int64_t class_index) {
  return report.classes[static_cast<std::size_t>(class_index)];
}

}  // namespace

void declare_options(CLI::App& command, ProbeCommandOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command
      .add_option(
          "--data", options.data,
          "A folder with train/ and test/ (val/ is added to train/), with train/ and val/, or with class folders")
      ->type_name("DIR")
      ->required();
  command.add_option("--labels", options.labels, kLabelsHelp)->type_name("CSV");
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  command.add_flag("--no-cache", options.no_cache, "Neither read nor write embeddings in EFFNET_HOME/features");
  command.add_flag("--no-flip", options.no_flip,
                   "Use each image only as it is, not also mirrored: half the time, usually less accurate");
  add_output(command, "-o,--out", options.out, "Save the model with the linear probe as its classifier")
      ->type_name("OUT.safetensors");
  options.load.declare(command);
}

ProbeResult run_probe(const ProbeCommandOptions& o, const Globals& globals, Output& out) {
  check_no_stdout("-o", o.out);
  check_weights_output("-o", o.out);
  for (const std::string& input : {o.model, o.data, o.labels}) check_not_input("-o", o.out, input);
  const auto start = std::chrono::steady_clock::now();
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  const Preprocessing rule = preprocessing_at(model, o.resolution);
  const transfer::ProbeSets sets = transfer::open_probe_sets({o.data, o.labels});
  ProbeResult result;
  result.used_images = used_images(o, sets, pool, out);
  std::optional<Steps> steps(out);
  result.report = transfer::run_probe(sets, model, pool,
                                      {.embed = {.preprocessing = rule,
                                                 .flip = !o.no_flip,
                                                 .cache = !o.no_cache,
                                                 .note = [&](std::string_view text) { out.warn(text); }},
                                       .progress = [&](std::string_view what, std::int64_t done, std::int64_t total) {
                                         steps->update(what, done, total);
                                       }});
  steps.reset();
  if (!o.out.empty()) formats::write_model(o.out, transfer::with_probe(model, result.report, rule));
  result.weights = model.weights_from();
  if (model.weights_from() == name(formats::WeightsFrom::random))
    result.report.label_errors.clear();  // they would mean nothing
  result.path = o.out;
  result.folder = o.data;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!globals.json) warn_corrupt(result.report.corrupt, out);
  return result;
}

Json to_json(const ProbeResult& result) {
  const transfer::ProbeReport& report = result.report;
  const std::filesystem::path folder = result.folder;
  Json errors = Json::array(), skipped = Json::array();
  for (std::size_t i = 0; i < std::min(report.label_errors.size(), kLabelErrors); ++i) {
    const auto& [name, error] = report.label_errors[i];
    errors.push_back({{"path", (folder / name).string()},
                      {"label", name_of(report, error.label)},
                      {"suggested", name_of(report, error.suggested)},
                      {"label_probability", error.label_probability},
                      {"suggested_probability", error.suggested_probability}});
  }
  for (const data::CorruptImage& image : report.corrupt)
    skipped.push_back({{"path", (folder / image.name).string()}, {"why", image.why}});
  Json document{{"top1", report.top1},
                {"top5", report.top5},
                {"mean_per_class", report.mean_per_class},
                {"interval", {100 * report.interval.low, 100 * report.interval.high}},
                {"evaluated_on", report.evaluated_on},
                {"images", report.images},
                {"training_images", report.training_images},
                {"classes", report.classes.size()},
                {"cross_validation_top1", report.cross_validation ? Json(*report.cross_validation) : Json()},
                {"l2", report.l2},
                {"knn_top1", report.knn_top1},
                {"knn_k", report.knn_k},
                {"label_errors", std::move(errors)},
                {"weights", result.weights},
                {"skipped", std::move(skipped)},
                {"seconds", result.seconds}};
  if (!result.path.empty()) document["path"] = result.path;
  if (result.used_images) document["used_images"] = *result.used_images;
  return document;
}

std::string to_text(const ProbeResult& result) {
  const transfer::ProbeReport& report = result.report;
  std::string text =
      fmt::format("linear probe: top-1 {:.2f} % (95 % interval {:.2f} to {:.2f}){}, mean per class {:.2f} %\n",
                  report.top1, 100 * report.interval.low, 100 * report.interval.high,
                  top5_text(report.top5, std::ssize(report.classes)), report.mean_per_class);
  const std::string evaluated = report.evaluated_on == "cross_validation"
                                    ? std::string("by cross-validation, because there are no other labelled images")
                                    : fmt::format("on {} {} images", grouped(report.images), report.evaluated_on);
  text += fmt::format("  evaluated {}; trained on {} images in {} classes, l2 {:g}\n", evaluated,
                      grouped(report.training_images), report.classes.size(), report.l2);
  text += fmt::format("nearest neighbours: top-1 {:.2f} % (k = {})\n", report.knn_top1, report.knn_k);
  const std::size_t shown = std::min(report.label_errors.size(), kLabelErrors);
  text +=
      fmt::format("probable label errors: {}{}\n",
                  result.weights == name(formats::WeightsFrom::random) ? "not listed, because the weights are random"
                  : report.label_errors.empty()                        ? "none"
                                                                       : grouped(std::ssize(report.label_errors)),
                  shown < report.label_errors.size() ? fmt::format(", the first {}:", shown) : "");
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [name, error] = report.label_errors[i];
    text += fmt::format("  {}: {} ({:.0f} %), suggested {} ({:.0f} %)\n", in_quotes(name),
                        in_quotes(name_of(report, error.label)), 100 * error.label_probability,
                        in_quotes(name_of(report, error.suggested)), 100 * error.suggested_probability);
  }
  if (!result.path.empty()) text += fmt::format("model with this classifier: written to {}\n", result.path);
  return text + fmt::format("{:.1f} s\n", result.seconds);
}

Body declare_probe(CLI::App& command, const Globals& globals) { return bind(command, globals, run_probe); }

}  // namespace effnet::cli
