// The headline: the accuracy first, then what the run is, and the warnings.
#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"
#include "effnet/report/run_warnings.h"

namespace effnet::report {
namespace {

std::string count(double number) { return fmt::format("{:.4g}", number); }

std::string lead(const RunFacts& run) {
  std::string out = run.model.empty() ? "a training run" : escaped(run.model);
  std::string data = run.finetune ? run.finetune->data.folder : "";
  if (const auto found = run.summary.find("data"); data.empty() && found != run.summary.end() && found->is_string())
    data = found->get<std::string>();
  if (!data.empty()) out += " trained on " + escaped(data);
  if (run.summary.empty()) out += run.model.empty() ? ", not finished" : " \xC2\xB7 not finished";
  if (const std::string start = start_of(run); !start.empty()) out += " \xC2\xB7 started " + escaped(start);
  if (run.finetune && !run.finetune->effnet.empty()) out += " \xC2\xB7 effnet " + escaped(run.finetune->effnet);
  if (run.finetune && !run.finetune->command.empty())
    out += fmt::format("<br><code>{}</code>", escaped(run.finetune->command));
  return out;
}

std::string score(const RunFacts& run) {
  const std::optional<ShownAccuracy> shown = shown_accuracy(run);
  if (!shown) return "<b>\xE2\x80\x93</b><span>no validation accuracy yet</span>";
  std::string out = fmt::format("<b>{:.2f}<small> %</small></b><span>{}", shown->top1, shown->what);
  if (shown->interval)
    out += fmt::format("<br>95 % interval {:.2f} to {:.2f} %", 100 * shown->interval->low, 100 * shown->interval->high);
  if (shown->images > 0) out += fmt::format("<br>on {}", count_of(shown->images, "image"));
  if (shown->is_unseen) out += ", which no choice of the run has used";
  if (shown->is_unseen && run.finetune && run.finetune->split && run.finetune->split->used_test > 0)
    out += fmt::format("; an earlier run has used {} of them", grouped(run.finetune->split->used_test));
  if (shown->is_selected)
    out += "<br>The best epoch was selected on these images, so the accuracy on new images may be lower.";
  const std::optional<BestEpoch> best = best_epoch(run);
  const bool saved = run.predictions && !run.predictions->empty();
  if (best && shown->is_unseen && !run.finetune) {
    out += fmt::format("<br>{:.2f} % on the held-out images, by which the epoch was selected", best->top1);
  } else if (best && saved && !shown->is_unseen && !shown->is_selected && best->top1 > shown->top1) {
    out += fmt::format("<br>best validation top-1: {:.2f} %{}", best->top1,
                       best->epoch > 0 ? fmt::format(", epoch {}", best->epoch) : "");
  }
  if (run.finetune && run.finetune->result) {
    const FinetuneResult& result = *run.finetune->result;
    if (result.mean_per_class) out += fmt::format("<br>mean of the classes: {:.2f} %", *result.mean_per_class);
    if (const auto& worst = result.worst_class)
      out += fmt::format("<br>worst class: {}, {:.1f} % of {}", escaped(worst->name), worst->recall,
                         count_of(worst->images, "image"));
  }
  return out + "</span>";
}

std::string facts(const RunFacts& run) {
  std::string out = "<dl class=\"facts\">\n";
  if (const auto epochs = run.number("epochs")) {
    out += fact("epochs", count(*epochs));
  } else if (!run.epochs.empty()) {
    out += fact("epochs so far", grouped(run.epochs.back().epoch));
  }
  if (!run.epochs.empty()) out += fact("steps", grouped(run.epochs.back().step));
  if (const auto seconds = run.number("seconds")) out += fact("training time", duration(*seconds));
  if (run.finetune && run.finetune->budget_s) out += fact("time budget", duration(*run.finetune->budget_s));
  if (const auto value = run.number("images_per_second")) out += fact("images/s in training", rate_text(*value));
  if (const auto params = run.number("params")) out += fact("parameters", abbreviated(*params));
  if (const auto macs = run.number("macs")) out += fact("multiply-adds", abbreviated(*macs));
  if (const auto device = run.summary.find("device"); device != run.summary.end() && device->is_string())
    out += fact("device", device->get<std::string>());
  if (const auto world = run.number("world_size"); world && *world > 1) out += fact("processes", count(*world));
  if (const auto bytes = run.number("peak_device_bytes")) out += fact("device memory", bytes_text(*bytes));
  if (const auto bytes = run.number("peak_rss_bytes")) out += fact("peak memory", bytes_text(*bytes));
  if (!run.classes.empty()) out += fact("classes", grouped(static_cast<std::int64_t>(run.classes.size())));
  return out + "</dl>\n";
}

std::string warnings(const RunFacts& run) {
  std::vector<std::string> all;
  if (run.finetune) all = run.finetune->warnings;
  if (run.predictions) {
    const auto epoch = static_cast<std::int64_t>(std::max(0.0, std::min(run.number("saved_epoch").value_or(0), 1e15)));
    for (std::string& warning : result_warnings(run.epochs, epoch, *run.predictions)) {
      if (std::ranges::find(all, warning) == all.end()) all.push_back(std::move(warning));
    }
  }
  if (all.empty()) return {};
  std::string out = fmt::format("<div class=\"warnings\"><h3>{}</h3>\n<ul>\n",
                                count_of(static_cast<std::int64_t>(all.size()), "warning"));
  for (const std::string& warning : all) out += fmt::format("<li>{}</li>\n", escaped(warning));
  return out + "</ul></div>\n";
}

}  // namespace

std::string headline(const RunFacts& run) {
  return fmt::format(
      "<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<div class=\"hero\">\n<div class=\"score\">{}</div>\n{}</div>\n"
      "{}</header>",
      escaped(run.name), lead(run), score(run), facts(run), warnings(run));
}

}  // namespace effnet::report
