// The sections headline, speed and memory, and configuration.
#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/base/text.h"
#include "effnet/metrics/intervals.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/run_warnings.h"

namespace effnet::report {
namespace {

struct Best {
  double top1 = 0;
  std::int64_t epoch = 0;  // 0: unknown
};

std::optional<Best> best_of(const RunFacts& run) {
  std::optional<Best> best;
  for (const EpochMetrics& row : run.epochs) {
    const std::optional<double>& top1 = row.score();
    if (top1 && std::isfinite(*top1) && (!best || *top1 > best->top1)) best = {*top1, row.epoch};
  }
  if (const auto top1 = run.number("best_top1"); top1 && std::isfinite(*top1))
    best = {*top1, static_cast<std::int64_t>(run.number("best_epoch").value_or(0))};
  return best;
}

// Top-1 accuracy, in percent, of predictions.csv: the predictions of the weights in model.safetensors.
std::optional<double> saved_top1(const RunFacts& run) {
  if (!run.predictions || run.predictions->empty()) return std::nullopt;
  const auto right = std::ranges::count_if(*run.predictions, [](const auto& p) { return p.predicted == p.label; });
  return 100 * static_cast<double>(right) / static_cast<double>(run.predictions->size());
}

std::string fact(std::string_view name, std::string_view value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value));
}
std::string row(std::string_view name, std::string_view value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
}

std::string text_of(const nlohmann::ordered_json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string rate(double images_per_second) {
  return images_per_second >= 100 ? grouped(std::llround(std::min(images_per_second, 1e15)))
                                  : fmt::format("{:.3g}", images_per_second);
}

std::string count(double number) { return fmt::format("{:.4g}", number); }

}  // namespace

std::string headline(const RunFacts& run) {
  std::string out = fmt::format("<header>\n<h1>{}</h1>\n<p class=\"lead\">", escaped(run.name));
  out += run.model.empty() ? "a training run" : escaped(run.model);
  if (const auto data = run.summary.find("data"); data != run.summary.end() && data->is_string())
    out += " trained on " + escaped(data->get<std::string>());
  if (run.summary.empty()) out += run.model.empty() ? ", not finished" : " \xC2\xB7 not finished";
  out += "</p>\n<div class=\"hero\">\n<div class=\"score\">";
  const std::optional<Best> best = best_of(run);
  const std::optional<double> test = run.number("test_top1");
  const std::optional<double> saved = saved_top1(run);
  const std::optional<double> shown = test ? test : saved ? saved : best ? std::optional(best->top1) : std::nullopt;
  if (shown) {
    const auto number = [](std::int64_t epoch) { return epoch > 0 ? fmt::format(", epoch {}", epoch) : ""; };
    const auto saved_epoch = static_cast<std::int64_t>(run.number("saved_epoch").value_or(0));
    const std::string epoch = best ? number(best->epoch) : "";
    out += fmt::format("<b>{:.2f}<small> %</small></b><span>{}", *shown,
                       test    ? "test top-1 of the saved model" + number(saved_epoch)
                       : saved ? "validation top-1 of the saved model" + number(saved_epoch)
                               : "best validation top-1" + epoch);
    const std::size_t images = run.predictions ? run.predictions->size() : 0;
    if (images > 0 && *shown >= 0 && *shown <= 100) {
      const auto right = std::llround(*shown / 100 * static_cast<double>(images));
      const metrics::Interval interval = metrics::wilson_95(right, static_cast<std::int64_t>(images));
      out += fmt::format("<br>95 % interval {:.2f} to {:.2f} %<br>on {} images", 100 * interval.low,
                         100 * interval.high, grouped(static_cast<std::int64_t>(images)));
    }
    if (best && test) {
      out += fmt::format("<br>{:.2f} % on the held-out images, by which the epoch was selected", best->top1);
    } else if (best && saved && best->epoch != saved_epoch) {
      out += fmt::format("<br>best validation top-1: {:.2f} %{}", best->top1, epoch);
    }
    out += "</span>";
  } else {
    out += "<b>\xE2\x80\x93</b><span>no validation accuracy yet</span>";
  }
  out += "</div>\n<dl class=\"facts\">\n";
  if (const auto epochs = run.number("epochs")) {
    out += fact("epochs", count(*epochs));
  } else if (!run.epochs.empty()) {
    out += fact("epochs so far", grouped(run.epochs.back().epoch));
  }
  if (!run.epochs.empty()) out += fact("steps", grouped(run.epochs.back().step));
  if (const auto seconds = run.number("seconds")) out += fact("training time", duration(*seconds));
  if (const auto value = run.number("images_per_second")) out += fact("images/s", rate(*value));
  if (const auto params = run.number("params")) out += fact("parameters", abbreviated(*params));
  if (const auto macs = run.number("macs")) out += fact("multiply-adds", abbreviated(*macs));
  if (const auto device = run.summary.find("device"); device != run.summary.end() && device->is_string())
    out += fact("device", device->get<std::string>());
  if (const auto world = run.number("world_size"); world && *world > 1) out += fact("processes", count(*world));
  if (const auto bytes = run.number("peak_device_bytes")) out += fact("device memory", bytes_text(*bytes));
  if (const auto bytes = run.number("peak_rss_bytes")) out += fact("peak memory", bytes_text(*bytes));
  if (!run.classes.empty()) out += fact("classes", grouped(static_cast<std::int64_t>(run.classes.size())));
  out += "</dl>\n</div>\n";
  if (run.predictions) {
    const auto epoch = static_cast<std::int64_t>(run.number("saved_epoch").value_or(0));
    for (const std::string& warning : result_warnings(run.epochs, epoch, *run.predictions)) out += note(warning) + "\n";
  }
  return out + "</header>";
}

std::string speed(const RunFacts& run) {
  std::string out;
  std::vector<double> rates;
  for (const EpochMetrics& one : run.epochs) {
    if (std::isfinite(one.images_per_second) && one.images_per_second > 0) rates.push_back(one.images_per_second);
  }
  if (!rates.empty()) {
    std::ranges::sort(rates);
    out += row("images/s, by epoch", fmt::format("median {}, lowest {}, highest {}", rate(rates[rates.size() / 2]),
                                                 rate(rates.front()), rate(rates.back())));
  }
  // A training step is usually counted as three forward passes, because the backward pass costs as much as two.
  const auto macs = run.number("macs"), speed = run.number("images_per_second");
  if (macs && speed)
    out += row("multiply-adds/s", abbreviated(3 * *macs * *speed) + " (counted as 3 forward passes per image)");
  const std::set<std::string> known{"best_top1", "best_epoch", "saved_top1", "saved_epoch", "data"};
  for (const auto& [key, value] : run.summary.items()) {
    if (known.contains(key) || value.is_structured() || value.is_null()) continue;
    std::string name = key, text = text_of(value);
    std::ranges::replace(name, '_', ' ');
    if (key == "seconds" && value.is_number()) {
      name = "training time";
      text = fmt::format("{} ({} s)", duration(value.get<double>()), text);
    } else if (key.ends_with("_bytes") && value.is_number()) {
      name.resize(name.size() - 6);
      text = bytes_text(value.get<double>());
    } else if (value.is_number_integer() &&
               (!value.is_number_unsigned() || value.get<std::uint64_t>() < (std::uint64_t{1} << 62))) {
      text = grouped(value.get<std::int64_t>());
    } else if (value.is_number_float()) {
      text = fmt::format("{:.6g}", value.get<double>());
    }
    out += row(name, text);
  }
  if (out.empty()) return note("metrics.csv has no epochs yet, and there is no summary.json yet.");
  if (run.summary.empty()) out += row("summary.json", "missing, because the run is not finished");
  return "<dl class=\"rows\">\n" + out + "</dl>";
}

std::string configuration(const RunFacts& run) {
  std::string out = "<p class=\"soft\">config.toml with every setting of the run.</p>\n<pre>";
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
  return out + "</pre>";
}

}  // namespace effnet::report
