#include "effnet/train/run/resume.h"

#include <charconv>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

}  // namespace

bool stays_finished(const Summary& summary, const RunFolder& folder, const Recipe& recipe, std::string& told) {
  told = "this run is finished already";
  const fs::path file = folder.path() / "config.toml";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return true;
  const Recipe then = parse_recipe(read_text(file), file.string());
  const bool fitted = !then.train.time_budget.empty();
  if (recipe.train.epochs != then.train.epochs && recipe.train.epochs > summary.epochs && !fitted) return false;
  std::vector<std::string> steps, others;
  for (const Setting* setting : differing_settings(recipe, then))
    (setting->affects_results() ? steps : others).emplace_back(setting->key);
  if (!steps.empty()) {
    throw usage_error(
        "{}: this run is finished, after {:.4g} epochs (got another {}, expected the settings it was made with)",
        folder.path().string(), summary.epochs, one_of(steps))
        .with_hint(fitted
                       ? "a run that was fitted to a time budget does not go on; another --out begins anew"
                       : fmt::format("--set train.epochs= with more than {:.4g} goes on with it; another --out begins "
                                     "anew",
                                     summary.epochs));
  }
  if (recipe.checkpoint_result != then.checkpoint_result) return false;
  if (!others.empty()) told += fmt::format("; {} changes nothing in it any more", one_of(others));
  return true;
}

std::vector<std::string> describe_changes(const std::vector<Change>& changes, double epochs_done, double next_lr) {
  std::vector<std::string> lines;
  for (const Change& change : changes) {
    lines.push_back(fmt::format("{} is {} from here on (it was {})", change.key, change.now, change.before));
    if (change.key != "train.epochs") continue;
    double now = 0, before = 0;
    std::from_chars(change.now.data(), change.now.data() + change.now.size(), now);
    std::from_chars(change.before.data(), change.before.data() + change.before.size(), before);
    if (now < epochs_done) {
      throw usage_error("train.epochs is below what is done (got {}, expected at least {:.4g})", change.now,
                        epochs_done)
          .with_hint("without --set train.epochs the run goes on to its own length");
    }
    if (before < epochs_done) {
      throw usage_error(
          "the run ended within an epoch, from where none can go on (got train.epochs = {}, expected a "
          "whole number)",
          change.before)
          .with_hint("another --out begins anew");
    }
  }
  if (!lines.empty()) lines.push_back(fmt::format("the next step's learning rate is {:.4g}", next_lr));
  return lines;
}

}  // namespace effnet::train
