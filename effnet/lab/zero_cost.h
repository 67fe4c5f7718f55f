// Scores of a network without training (zero-cost proxies): they take one batch and rank networks, but are no
// accuracies. The weights are the initial ones of a seed. Networks are computed in double, because the values of
// synflow exceed float32, and on one thread, so that the last bits of a score do not depend on the number of threads.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/search/nas/evaluator.h"

namespace effnet::lab {

// Images of the score: 64 training images with the augmentation of the recipe, or train.batch if that is fewer.
struct ZeroCostImages {
  torch::Tensor images;              // (n, 3, h, w), double
  std::vector<std::int64_t> labels;  // n
};
inline constexpr std::int64_t kZeroCostImages = 64;

struct ZeroCostScore {
  std::string_view name;  // EvaluatorSettings::score
  std::string_view what;
  bool needs_images;  // else `images` is not read
  // `spec`: with the resolution and classes of the images.
  double (*score)(const arch::ArchSpec& spec, std::uint64_t seed, const ZeroCostImages& images);
};
std::span<const ZeroCostScore> zero_cost_scores();            // a new score is a row
const ZeroCostScore& zero_cost_score(std::string_view name);  // throws Error(usage) with the nearest name

// The evaluator "zerocost": the score settings.score with settings.seed. `recipe` gives the images, and the resolution
// of all scores; a score that needs no images may have an empty recipe. A score that is not finite is a
// CandidateError.
std::unique_ptr<search::Evaluator> make_zero_cost_evaluator(const search::Space& space,
                                                            const search::EvaluatorSettings& settings,
                                                            const search::EvaluatorPlace& place);

}  // namespace effnet::lab
