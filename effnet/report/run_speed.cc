// The sections about size, speed and memory, and about the configuration.
#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

std::string text_of(const nlohmann::ordered_json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string measured_rows(const ModelSpeed& model) {
  const std::string threads = count_of(model.threads, "thread");
  std::string out = named_row("parameters", grouped(model.params));
  out +=
      named_row("multiply-adds", fmt::format("{} for one image of {} pixels", grouped(model.macs), model.resolution));
  out += named_row("model file", bytes_text(static_cast<double>(model.file_bytes)));
  out += named_row("one image", fmt::format("{:.2f} ms with {}", model.one_image_ms, threads));
  out += named_row("many images", fmt::format("{} images/s with {}, {} images at once",
                                              rate_text(model.images_per_second), threads, model.batch));
  return out + named_row("measured on", fmt::format("{}, {}, {}", model.cpu, model.isa, model.precision));
}

std::string training_rows(const RunFacts& run) {
  std::string out;
  std::vector<double> rates;
  for (const EpochMetrics& one : run.epochs) {
    if (std::isfinite(one.images_per_second) && one.images_per_second > 0) rates.push_back(one.images_per_second);
  }
  if (!rates.empty()) {
    std::ranges::sort(rates);
    out += named_row("images/s, by epoch",
                     fmt::format("median {}, lowest {}, highest {}", rate_text(rates[rates.size() / 2]),
                                 rate_text(rates.front()), rate_text(rates.back())));
  }
  // A training step is usually counted as three forward passes, because the backward pass costs as much as two.
  const auto macs = run.number("macs"), speed = run.number("images_per_second");
  if (macs && speed)
    out += named_row("multiply-adds/s", abbreviated(3 * *macs * *speed) + " (counted as 3 forward passes per image)");
  const std::set<std::string> known{"best_top1", "best_epoch", "saved_top1", "saved_epoch", "data"};
  for (const auto& [key, value] : run.summary.items()) {
    if (known.contains(key) || value.is_structured() || value.is_null()) continue;
    std::string name = key, text = text_of(value);
    std::ranges::replace(name, '_', ' ');
    if (key == "seconds" && value.is_number()) {
      name = "training time";
      text = duration(value.get<double>());
    } else if (key.ends_with("_bytes") && value.is_number()) {
      name.resize(name.size() - 6);
      text = bytes_text(value.get<double>());
    } else if (key == "images_per_second" && value.is_number()) {
      text = rate_text(value.get<double>());
    } else if (value.is_number_integer() &&
               (!value.is_number_unsigned() || value.get<std::uint64_t>() < (std::uint64_t{1} << 62))) {
      text = grouped(value.get<std::int64_t>());
    } else if (value.is_number_float()) {
      text = fmt::format("{:.4g}", value.get<double>());
    }
    out += named_row(name, text);
  }
  if (!out.empty() && run.summary.empty()) out += named_row("summary.json", "missing, because the run is not finished");
  return out;
}

}  // namespace

std::string speed(const RunFacts& run, const std::optional<ModelSpeed>& measured) {
  std::string out;
  if (measured) {
    out += guide(
        "The size of the saved model, and its speed on the machine that made this page, without decoding and resizing "
        "of images. <code>effnet bench</code> measures other batches and numbers of threads.");
    out += fmt::format("<h3>The model</h3>\n<dl class=\"rows\">\n{}</dl>\n", measured_rows(*measured));
  }
  const std::string rows = training_rows(run);
  if (rows.empty()) return out + note("metrics.csv has no epochs yet, and there is no summary.json yet.");
  return out + fmt::format("<h3>Training</h3>\n<dl class=\"rows\">\n{}</dl>", rows);
}

std::string configuration(const RunFacts& run) {
  std::string out = guide(
                        "config.toml with every setting of the run. It is a recipe: <code>effnet train config.toml"
                        "</code> repeats the run.") +
                    "<details open><summary>All settings</summary>\n<pre>";
  std::string_view rest = run.config;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t first = line.find_first_not_of(" \t");
    // Only lines that begin with '#' are shown as comments: a '#' later in a line may be inside quotes.
    if (first != std::string_view::npos && line[first] == '#') {
      out += fmt::format("<span class=\"comment\">{}</span>\n", escaped(line));
    } else if (first != std::string_view::npos && line[first] == '[') {
      out += fmt::format("<span class=\"head\">{}</span>\n", escaped(line));
    } else {
      out += escaped(line) + "\n";
    }
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return out + "</pre></details>";
}

}  // namespace effnet::report
