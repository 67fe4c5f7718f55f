// The section about what `effnet finetune` chose, and the linear probe beside the fine-tuned network.
#include "effnet/base/text.h"
#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

std::string accuracy_row(std::string_view what, double top1, const std::optional<metrics::Interval>& interval,
                         std::string_view images) {
  return fmt::format(
      "<tr><td class=\"text\">{}</td><td>{:.2f} %<span class=\"meter\"><i style=\"width:{:.1f}%\"></i></span></td>"
      "<td>{}</td><td class=\"text\">{}</td></tr>\n",
      escaped(what), top1, top1,
      interval ? fmt::format("{:.1f} to {:.1f} %", 100 * interval->low, 100 * interval->high) : "\xE2\x80\x93",
      escaped(images));
}

std::string probe_table(const RunFacts& run) {
  const FinetuneProbe& probe = *run.finetune->probe;
  std::string rows;
  if (probe.knn_top1) rows += accuracy_row("nearest neighbours", *probe.knn_top1, {}, "validation");
  if (probe.val_top1) {
    std::string name = "linear probe";
    if (probe.l2) name += fmt::format(", L2 {:.4g}", *probe.l2);
    if (probe.seconds) name += fmt::format(", {}", duration(*probe.seconds));
    rows += accuracy_row(name, *probe.val_top1, probe.interval, "validation");
  }
  if (rows.empty()) return {};
  const std::optional<double> trial = run.finetune->trial_top1;
  const std::optional<metrics::Interval> interval = run.finetune->trial_interval;
  // Where the probe is the result of a finished run, the summary has the probe's accuracy.
  const bool is_probe = run.number("best_top1") && run.finetune->final_epochs <= 0;
  if (const std::optional<BestEpoch> best = best_epoch(run); best && !is_probe)
    rows += accuracy_row("fine-tuned network, best epoch", best->top1, trial ? std::nullopt : interval, "validation");
  if (trial) rows += accuracy_row("fine-tuned network (trial)", *trial, interval, "validation");
  if (probe.test_top1)
    rows += accuracy_row("linear probe", *probe.test_top1, probe.test_interval, "test, used by no choice");
  if (const std::optional<ShownAccuracy> shown = shown_accuracy(run); shown && shown->is_unseen)
    rows += accuracy_row("fine-tuned network", shown->top1, shown->interval, "test, used by no choice");
  std::string text =
      "The linear probe trains only a new classifier on the features of the published weights. Compare it with the "
      "fine-tuned network on the same images. If the probe is as good, a shorter run is enough. If both are low, more "
      "images or correct labels help more than longer training.";
  if (probe.val_top1 && *probe.val_top1 >= 100)
    text += " The probe is right for all validation images, so they cannot show a gain of fine-tuning.";
  if (const std::string gain = gain_text(*run.finetune); !gain.empty()) text += " Result: " + gain + ".";
  return "<h3>Probe and fine-tuned network</h3>\n" + guide(text) +
         "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">method</th><th>top-1</th><th>95 % interval</th>"
         "<th class=\"text\">images</th></tr></thead>\n<tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string plan_table(const std::vector<FinetuneChoice>& plan) {
  std::string out =
      "<h3>Settings that finetune chose</h3>\n" +
      guide(
          "Each row is a setting that finetune chose from the data, the probe and the time budget, with the reason. "
          "<code>--set SETTING=VALUE</code> overrides a choice.") +
      "<div class=\"scroll\"><table>\n<thead><tr><th class=\"text\">setting</th><th class=\"text\">value</th>"
      "<th class=\"text\">reason</th></tr></thead>\n<tbody>\n";
  for (const FinetuneChoice& one : plan) {
    out += fmt::format(
        "<tr><td class=\"text\"><code>{}</code></td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>\n",
        escaped(one.setting), escaped(one.value), escaped(one.why));
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string choices(const RunFacts& run) {
  if (!run.finetune) return {};
  std::string out;
  if (const auto& split = run.finetune->split) {
    out +=
        guide(fmt::format("Images: {} for training, {} for validation, {} for the test{}. Every choice below used the "
                          "validation images only.",
                          grouped(split->train), grouped(split->val), grouped(split->test),
                          split->by.empty() ? "" : ", divided by " + escaped(split->by)));
  }
  if (run.finetune->probe) out += probe_table(run);
  if (!run.finetune->plan.empty()) out += plan_table(run.finetune->plan);
  return out;
}

}  // namespace effnet::report
