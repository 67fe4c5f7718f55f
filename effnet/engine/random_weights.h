// Random weights that keep the scale of activations. The command line uses them for an arch file or a name without
// pulled weights.
#pragma once

#include <cstdint>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/base/thread_pool.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Returns every parameter that graph::lower(spec, {.classes = classes}) needs, float32.
//
// The initialisation is that of the official code (formats/initial_weights.h). The values of a tensor depend only on
// seed, name and shape.
//
// Then a calibration pass sets the running mean and the running variance (biased) of every batch norm to the mean and
// variance of its input. In this pass eight synthetic images (synthetic_images.h, same seed) go through the network;
// the statistics of a batch norm are set before this batch norm runs. Without calibration logits would be 1e-14 or 1e7;
// with it activations keep unit scale. The pass runs at the nominal resolution if that takes at most 32 GMAC (two
// seconds on two cores), else at the largest multiple of 32 within this limit (B0 224, B4 352, B7 192, ResNet-50 192).
// The resolution is never below 128; if 128 is still too expensive, the pass uses four images (L2, AmoebaNet-B).
//
// At resolutions far above that of the pass, white noise as input leads to activations that leave the unit scale, and
// the network becomes chaotic (B7 at 600 pixels: logits of 420, and float and double logits differ by 0.3). Images with
// a photograph's spectrum stay stable (B7 at 600 pixels: logits of 0.13, difference 2e-6; L2 at 224 pixels: logits of
// 71, difference 1e-4). So checks of deep networks should use the odd synthetic images, which have this spectrum.
//
// A cheaper calibration with 64 pixels and white noise does not work. The last feature maps are then 2 x 2, so a 5 x 5
// kernel covers 4 values instead of 25, and the deep layers cannot distinguish the images. B4's logits at 224 pixels
// then have a standard deviation of 2.6e6, and logits from float and double sums differ by half of the logits. With the
// calibration above they differ by 1e-5 or less (ResNet-152: 4e-4).
//
// Throws Error(input) as graph::lower does.
// kRandomWeightsVersion is incremented when the same arguments give other values; it is part of the cache key.
inline constexpr int kRandomWeightsVersion = 2;
EFFNET_API tensor::Weights random_weights(const arch::ArchSpec& spec, std::int64_t classes, std::uint64_t seed,
                                          ThreadPool& pool);

}  // namespace effnet::engine
