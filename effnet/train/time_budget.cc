#include "effnet/train/time_budget.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::train {

double parse_duration(std::string_view text) {
  if (text.empty()) return 0;
  const auto wrong = [&] {
    return usage_error("train.time_budget: no length of time (got {}, expected such as 90s, 20m, 2h or 1h30m)",
                       in_quotes(text));
  };
  double seconds = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (code != std::errc{} || !std::isfinite(number) || number < 0) throw wrong();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.empty()) throw wrong();
    switch (rest.front()) {
      case 's': seconds += number; break;
      case 'm': seconds += number * 60; break;
      case 'h': seconds += number * 3600; break;
      case 'd': seconds += number * 86400; break;
      default: throw wrong();
    }
    rest.remove_prefix(1);
  }
  constexpr double kMost = 10 * 365.0 * 86400;
  if (seconds <= 0 || seconds > kMost) throw wrong();
  return seconds;
}

double fitted_epochs(double budget_s, const RunCosts& costs) {
  constexpr double kUsable = 0.97;
  const double left_s = kUsable * budget_s - costs.spent_s - 2 * costs.validation_s;
  const double per_epoch_s = costs.epoch_s + costs.validation_s / costs.validate_every;
  const double more = std::floor(left_s / per_epoch_s * costs.steps_an_epoch);
  return costs.epochs_done + std::max(more, 1.0) / costs.steps_an_epoch;
}

}  // namespace effnet::train
