// ArchSpec: the description of a network, as plain data that a person can write. effnet/graph lowers it to the Graph,
// which all other code reads. Batch norm's epsilon and the kind of padding are set only here.
//
// Sources: Tan & Le 2019, Table 1 and section 4; the fields of a stage have the names of the official builder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::arch {

enum class Activation { none, relu, relu6, silu, hard_swish, sigmoid };
EFFNET_API std::string_view name(Activation activation);

// How a convolution or pooling pads an axis of n pixels, with kernel size k and stride s.
enum class Padding {
  same,       // TensorFlow's SAME: ceil(n/s) outputs; if the padding is odd, the extra pixel is at the end
  symmetric,  // as usual in PyTorch: floor((k-1)/2) on both sides
  valid,      // no padding
};
EFFNET_API std::string_view name(Padding padding);

enum class PoolKind { none, max, average };
EFFNET_API std::string_view name(PoolKind kind);

// How scaling rounds the repeats of a stage to a whole number.
enum class DepthRounding {
  up,       // the official EfficientNet code
  nearest,  // halves up, at least 1 (TinyNet)
};
EFFNET_API std::string_view name(DepthRounding rounding);

struct StemSpec {
  std::int64_t channels = 32;
  std::int64_t kernel = 3;
  std::int64_t stride = 2;
  Activation activation = Activation::silu;  // default: the network's
  Padding padding = Padding::same;           // default: the network's
  PoolKind pool = PoolKind::none;            // ResNet: a pool with kernel 3 and stride 2 after the activation
  bool scale_width = true;                   // false: scaling does not change the channels (Lite)
  friend bool operator==(const StemSpec&, const StemSpec&) = default;
};

// `repeats` blocks of one kind. The first block has the stage's stride and changes the number of channels; the others
// have stride 1.
struct StageSpec {
  std::string block = "mbconv";  // a row of effnet/graph/blocks.cc
  std::int64_t repeats = 1;
  std::int64_t channels = 16;  // output channels. bottleneck: inner channels (4x at the output); AmoebaNet: F
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t expand = 1;    // mbconv: expanded channels = block input channels * expand
  double se = 0;              // mbconv: squeezed channels = max(1, int(se * block INPUT channels)); 0: no SE
  bool skip = true;           // add the block's input to its output if the stride is 1 and the shapes are equal
  bool stride_first = false;  // bottleneck: true puts the stride in the first 1x1 (original), false in the 3x3 (v1.5)
  bool scale_depth = true;    // false: scaling does not change the repeats (first and last stage of Lite)
  friend bool operator==(const StageSpec&, const StageSpec&) = default;
};

struct HeadSpec {
  std::int64_t channels = 1280;              // of the last 1x1 convolution; 0: no convolution before the global pool
  Activation activation = Activation::silu;  // default: the network's, or none if channels = 0
  bool scale_width = true;
  std::int64_t min_channels = 0;  // lower bound of the scaled width (MobileNetV2: 1280)
  friend bool operator==(const HeadSpec&, const HeadSpec&) = default;
};

struct ArchSpec {
  std::string name;
  std::string family;
  std::int64_t resolution = 224;  // nominal input side in pixels
  std::int64_t classes = 1000;
  Activation activation = Activation::silu;
  Padding padding = Padding::same;
  double bn_epsilon = 1e-3;
  double bn_momentum = 0.99;  // moving = momentum * moving + (1 - momentum) * batch (TensorFlow's convention)
  double dropout = 0.2;       // rate of the dropout before the classifier
  double drop_path = 0.2;     // block i of N (i from 0) drops its branch with probability drop_path * i / N
  bool scalable = true;       // false: scaling is an error (AmoebaNet)
  DepthRounding depth_rounding = DepthRounding::up;
  std::string preprocessing = "official";  // a rule in effnet/base/preprocessing_rules.h
  std::string normalisation = "imagenet";  // a normalisation in the same header
  StemSpec stem;
  std::vector<StageSpec> stages;
  HeadSpec head;
  friend bool operator==(const ArchSpec&, const ArchSpec&) = default;
};

// Checks a spec that code has filled in. Throws Error(input) with the field's name if a number or the number of stages
// is out of range. parse() applies the same ranges (effnet/arch/ranges.h).
EFFNET_API void check(const ArchSpec& spec);

// The text form (TOML). parse() throws Error(input) with SOURCE:LINE:COLUMN for a syntax error, an unknown key (with
// the nearest valid one), a wrong type or a value out of range. print() writes the keys that parse() reads, in a fixed
// order, so that parse(print(spec)) == spec and print(parse(text)) is canonical. It writes depth_rounding only if it is
// not `up`, so that the texts in existing model files stay canonical.
EFFNET_API ArchSpec parse(std::string_view text, std::string_view source);
EFFNET_API std::string print(const ArchSpec& spec);

}  // namespace effnet::arch
