#include "effnet/transfer/logits.h"

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/model/classifier.h"

namespace effnet::transfer {

std::int64_t SetLogits::predicted(std::int64_t row) const {
  const auto first = logits.begin() + row * classes;
  return std::max_element(first, first + classes) - first;
}

SetLogits classify(const data::Dataset& set, model::ModelHandle& model, ThreadPool& pool, const Done& progress) {
  constexpr std::int64_t kGroup = 64;  // images that are decoded together
  model::Classifier classifier(model, {}, pool);
  SetLogits result{.classes = model.arch().classes, .indices = {}, .labels = {}, .logits = {}, .corrupt = {}};
  for (std::int64_t first = 0; first < set.size(); first += kGroup) {
    check_interrupt();
    const std::int64_t count = std::min(kGroup, set.size() - first);
    std::vector<vision::Sampled> views(static_cast<std::size_t>(count));
    std::vector<std::string> why(static_cast<std::size_t>(count));
    pool.parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        try {
          views[static_cast<std::size_t>(i)] = classifier.view(data::decoded(set.read(first + i)));
        } catch (const Error& error) {
          if (error.code() != ErrorCode::input) throw;
          why[static_cast<std::size_t>(i)] = error.what();
        }
      }
    });
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!why[at].empty()) {
        result.corrupt.push_back({set.name(first + i), std::move(why[at])});
        continue;
      }
      const std::vector<float> logits = classifier.logits(std::span(views).subspan(at, 1));
      result.indices.push_back(first + i);
      result.labels.push_back(set.label(first + i));
      result.logits.insert(result.logits.end(), logits.begin(), logits.end());
      if (progress) progress(first + i + 1, set.size());
    }
  }
  return result;
}

}  // namespace effnet::transfer
