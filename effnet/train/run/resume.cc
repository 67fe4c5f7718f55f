#include "effnet/train/run/resume.h"

#include <charconv>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/report/run_folder.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

Error below_epochs_done(std::string_view epochs, double epochs_done) {
  return usage_error("train.epochs is below the number of epochs done (got {}, expected at least {:.4g})", epochs,
                     epochs_done);
}

}  // namespace

bool stays_finished(const Summary& summary, const RunFolder& folder, const Recipe& recipe, std::string& message) {
  message = "this run is already finished";
  const fs::path file = folder.path() / "config.toml";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return true;
  const Recipe then = parse_recipe(read_text(file), file.string());
  // The length of the run was not train.epochs: it was fitted to a time budget, or the run ended early.
  const bool fitted = !then.train.time_budget.empty() || summary.epochs < then.train.epochs;
  if (recipe.train.epochs != then.train.epochs && recipe.train.epochs > summary.epochs && !fitted) return false;
  std::vector<std::string> steps, others;
  for (const Setting* setting : differing_settings(recipe, then))
    (setting->affects_results() ? steps : others).emplace_back(setting->key);
  if (!steps.empty()) {
    throw usage_error("{}: this run is finished after {} (got another value of {}, expected the settings of the run)",
                      folder.path().string(), number_of(summary.epochs, "epoch"), one_of(steps))
        .with_hint(
            fitted
                ? "a run with a time budget, or one that ended early, cannot be extended; start a new run with another "
                  "--out"
                : fmt::format("a train.epochs above {:.4g} extends the run; another --out starts a new run",
                              summary.epochs));
  }
  if (recipe.checkpoint_result != then.checkpoint_result) return false;
  if (!others.empty()) message += fmt::format("; {} has no effect", one_of(others));
  return true;
}

std::string drop_fitted_length(const Recipe& recipe, const Timeline& timeline, Position& position) {
  if (!recipe.train.time_budget.empty() || position.epochs <= 0 || timeline.last_step_is_done()) return "";
  if (recipe.train.epochs < timeline.epochs_done())
    throw below_epochs_done(fmt::format("{}", recipe.train.epochs), timeline.epochs_done())
        .with_hint("without --set train.time_budget the run keeps its time budget");
  const double before = position.epochs;
  position.epochs = 0;
  return fmt::format("without a time budget the run has train.epochs = {:.4g} epochs instead of {:.4g}",
                     recipe.train.epochs, before);
}

std::vector<std::string> describe_changes(const std::vector<Change>& changes, double epochs_done, double next_lr,
                                          bool fitted) {
  std::vector<std::string> lines;
  for (const Change& change : changes) {
    lines.push_back(fmt::format("{} changes from {} to {}", change.key, change.before, change.now));
    if (change.key != "train.epochs") continue;
    double now = 0, before = 0;
    std::from_chars(change.now.data(), change.now.data() + change.now.size(), now);
    std::from_chars(change.before.data(), change.before.data() + change.before.size(), before);
    if (now < epochs_done) {
      throw below_epochs_done(change.now, epochs_done)
          .with_hint("without --set train.epochs the run keeps its number of epochs");
    }
    if (!fitted && before < epochs_done) {
      throw usage_error(
          "the run ended within an epoch and cannot be extended (got train.epochs = {}, expected a whole number of "
          "epochs)",
          change.before)
          .with_hint("another --out starts a new run");
    }
  }
  if (!lines.empty()) lines.push_back(fmt::format("the next step's learning rate is {:.4g}", next_lr));
  return lines;
}

void require_validated_end(const RunFolder& folder, std::int64_t epoch) {
  std::vector<report::EpochMetrics> rows;
  try {
    rows = report::read_metrics(folder.path() / "metrics.csv");
  } catch (const Error&) {  // missing or damaged: begin_metrics() warns about it
    return;
  }
  for (const report::EpochMetrics& row : rows) {
    if (row.epoch != epoch || row.score()) continue;
    throw usage_error("train.epochs: the run would end with an epoch without validation (got {}, expected more)", epoch)
        .with_hint("a larger train.epochs continues the run; its last epoch is always validated");
  }
}

}  // namespace effnet::train
