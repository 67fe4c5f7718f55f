#include "effnet/train/recipe/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "effnet/base/error.h"

namespace effnet::train {

double learning_rate(const ScheduleSettings& schedule, double peak, double epoch, double epochs) {
  if (epoch < schedule.warmup_epochs) return peak * epoch / schedule.warmup_epochs;
  switch (schedule.name) {
    case ScheduleKind::constant:
      return peak;
    case ScheduleKind::exponential:
      return peak * std::pow(schedule.decay_rate, std::floor(epoch / schedule.decay_epochs));
    case ScheduleKind::cosine: {
      const double length = epochs - schedule.warmup_epochs;
      const double done = length > 0 ? std::clamp((epoch - schedule.warmup_epochs) / length, 0.0, 1.0) : 1.0;
      return peak * 0.5 * (1 + std::cos(std::numbers::pi * done));
    }
  }
  throw internal_error("unknown schedule (got number {})", static_cast<int>(schedule.name));
}

double decay_at_step(double largest, std::int64_t step) {
  const double warm_up = (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step));
  return std::min(largest, warm_up);
}

}  // namespace effnet::train
