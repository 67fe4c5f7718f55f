// The values that the paper prints (Tan & Le 2019, version 5), as texts, and the networks that they belong to.
// docs/reference/paper.md has the same tables with their sources; printed_test.cc compares the two.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace effnet::paper {

using Text = const char*;  // as printed; null: the paper does not print it

// A named network of effnet, scaled by d and w at a resolution in pixels (0: the network's own).
struct Network {
  Text base;  // null: effnet does not have the network
  double depth = 1, width = 1;
  std::int64_t resolution = 0;
};

// Table 1: a stage of B0.
struct PrintedStage {
  Text stage, operation, resolution, channels, layers;
};
std::span<const PrintedStage> printed_stages();

// Table 2. The ratios are those to the EfficientNet of the same group, the last row before with ratio 1x.
struct PrintedImagenet {
  Text title;
  Text network;  // effnet's name or null
  Text top1, top5, params, params_ratio, macs, macs_ratio;
};
std::span<const PrintedImagenet> printed_imagenet();

// Tables 3 and 7: a base network or its scaling. The resolution of the compound rows is not printed. Figure 4 prints
// 299 px for r = 1.3, so their networks have this size here.
inline constexpr std::int64_t kCompoundPixels = 299;
struct PrintedScaling {
  Text title;
  Network network;
  Text macs, top1;
  Text remark = nullptr;  // ours
};
std::span<const PrintedScaling> printed_scalings();  // Table 3
std::span<const PrintedScaling> printed_cam();       // Table 7

// Table 4: a network, its accuracy and its latency on one core of a Xeon E5-2690. Parameters and MACs are those of
// Table 2, which has no MACs for GPipe.
struct PrintedLatency {
  Text network;  // effnet's name
  Text title, top1, latency_s, params, macs;
};
struct PrintedPair {
  PrintedLatency slow, fast;
  Text speedup;
};
std::span<const PrintedPair> printed_latencies();

// Table 5. Parameters do not include the classifier.
struct PrintedModel {
  Text name, accuracy, params;
};
struct PrintedTransfer {
  Text dataset;
  std::int64_t classes;  // of the data set, from Table 6
  Text compared;         // "public": with the best public model; "best": with the best reported result
  PrintedModel other, ours;
  Text network;  // effnet's name of `ours`
  Text ratio;    // parameters of `other` divided by those of `ours`
};
std::span<const PrintedTransfer> printed_transfers();
struct PrintedMean {
  Text compared, ratio;  // geometric mean of the ratios
};
std::span<const PrintedMean> printed_means();

// Table 6.
struct PrintedDataset {
  Text name;
  std::int64_t train, test, classes;
  Text metric;  // not in the paper: the appendix of Chen et al. 2020 (SimCLR), which uses the same protocol
};
std::span<const PrintedDataset> printed_datasets();

// Table 8, in percent.
struct PrintedTest {
  Text network, val_top1, test_top1, val_top5, test_top5;
};
std::span<const PrintedTest> printed_tests();

// Figure 3: B0 scaled in one dimension. Resolutions are floor(224 r).
inline constexpr std::array kFigure3Widths{1.0, 1.4, 1.8, 2.6, 3.8, 5.0};
inline constexpr std::array kFigure3Depths{1.0, 2.0, 3.0, 4.0, 6.0, 8.0};
inline constexpr std::array kFigure3Resolutions{1.0, 1.3, 1.5, 1.7, 1.9, 2.2, 2.5};

// Figure 4: the bases, whose widths are scaled. The paper writes r = 1.3 for 299 px.
struct PrintedBase {
  double depth;
  Text resolution_ratio;
  std::int64_t resolution;
};
inline constexpr std::array kFigure4Bases{PrintedBase{1, "1.0", 224}, PrintedBase{1, "1.3", 299},
                                          PrintedBase{2, "1.0", 224}, PrintedBase{2, "1.3", 299}};

}  // namespace effnet::paper
