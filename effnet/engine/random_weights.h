// Weights for networks that have none: what the command line uses for an arch file or a name that was not pulled.
#pragma once

#include <cstdint>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/base/thread_pool.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Every parameter that graph::lower(spec, {.classes = classes}) asks for, float32.
//
// Initialisation as the official code's (formats/initial_weights.h). A tensor's values are a function of seed, name and
// shape alone.
//
// Then every batch norm's running mean and (biased) variance are set to those of its own input, in one pass of eight
// synthetic images (synthetic_images.h, the same seed) through the network so far normalised. Plain initial
// statistics would give logits of 1e-14 or 1e7; so activations keep unit scale. The pass is at the nominal resolution,
// or at the largest multiple of 32 that keeps it within 32 GMAC, two seconds on two cores (B0 224, B4 352, B7 192,
// ResNet-50 192), but not below 128, where four images must do (L2, AmoebaNet-B).
// Far above the resolution of the pass, white noise drifts out of scale and becomes chaotic (B7 at 600: 420, float and
// double apart by 0.3); images with a photograph's spectrum do not (B7 at 600: 0.13, apart by 2e-6; L2 at 224: 71,
// 1e-4). So checks of deep networks should feed the odd synthetic images.
//
// Why not 64 pixels and white noise for all, which would be cheaper: the last maps are then 2 x 2, where a 5 x 5 kernel
// meets 4 values instead of 25, and all images look alike to the deep layers. B4's logits at 224 pixels then have a
// standard deviation of 2.6e6, and the network is chaotic: float and double sums differ by half of the logits.
// Calibrated as here they differ by 1e-5 or less (ResNet-152: 4e-4).
//
// Throws Error(input) as graph::lower does.
// Rises whenever the same arguments give other values: part of what a cache of them is called.
inline constexpr int kRandomWeightsVersion = 2;
EFFNET_API tensor::Weights random_weights(const arch::ArchSpec& spec, std::int64_t classes, std::uint64_t seed,
                                          ThreadPool& pool);

}  // namespace effnet::engine
