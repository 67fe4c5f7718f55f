// The tables of foreign names. All tables were compared with docs/reference/checkpoints.md, section 2. torchvision's
// tables were also compared with the models that torchvision 0.14 builds (tests/golden/import/make_names.py).
#include "effnet/formats/names.h"

namespace effnet::formats {
namespace {

constexpr NameRow kTorchvisionEfficientNet[] = {
    {"stem.conv", "features.0.0.{role}"},
    {"stem.bn", "features.0.1.{role}"},
    {"stages.{s}.{j}.depthwise.conv", "features.{s+1}.{j}.block.0.0.{role}", Blocks::plain},
    {"stages.{s}.{j}.depthwise.bn", "features.{s+1}.{j}.block.0.1.{role}", Blocks::plain},
    {"stages.{s}.{j}.se.reduce", "features.{s+1}.{j}.block.1.fc1.{role}", Blocks::plain},
    {"stages.{s}.{j}.se.expand", "features.{s+1}.{j}.block.1.fc2.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.conv", "features.{s+1}.{j}.block.2.0.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.bn", "features.{s+1}.{j}.block.2.1.{role}", Blocks::plain},
    {"stages.{s}.{j}.expand.conv", "features.{s+1}.{j}.block.0.0.{role}", Blocks::full},
    {"stages.{s}.{j}.expand.bn", "features.{s+1}.{j}.block.0.1.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.conv", "features.{s+1}.{j}.block.1.0.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.bn", "features.{s+1}.{j}.block.1.1.{role}", Blocks::full},
    {"stages.{s}.{j}.se.reduce", "features.{s+1}.{j}.block.2.fc1.{role}", Blocks::full},
    {"stages.{s}.{j}.se.expand", "features.{s+1}.{j}.block.2.fc2.{role}", Blocks::full},
    {"stages.{s}.{j}.project.conv", "features.{s+1}.{j}.block.3.0.{role}", Blocks::full},
    {"stages.{s}.{j}.project.bn", "features.{s+1}.{j}.block.3.1.{role}", Blocks::full},
    {"head.conv", "features.{S+1}.0.{role}"},
    {"head.bn", "features.{S+1}.1.{role}"},
    {"classifier", "classifier.1.{role}"},
};

constexpr NameRow kTorchvisionMobileNetV2[] = {
    {"stem.conv", "features.0.0.{role}"},
    {"stem.bn", "features.0.1.{role}"},
    {"stages.{s}.{j}.depthwise.conv", "features.{i+1}.conv.0.0.{role}", Blocks::plain},
    {"stages.{s}.{j}.depthwise.bn", "features.{i+1}.conv.0.1.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.conv", "features.{i+1}.conv.1.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.bn", "features.{i+1}.conv.2.{role}", Blocks::plain},
    {"stages.{s}.{j}.expand.conv", "features.{i+1}.conv.0.0.{role}", Blocks::full},
    {"stages.{s}.{j}.expand.bn", "features.{i+1}.conv.0.1.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.conv", "features.{i+1}.conv.1.0.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.bn", "features.{i+1}.conv.1.1.{role}", Blocks::full},
    {"stages.{s}.{j}.project.conv", "features.{i+1}.conv.2.{role}", Blocks::full},
    {"stages.{s}.{j}.project.bn", "features.{i+1}.conv.3.{role}", Blocks::full},
    {"head.conv", "features.{N+1}.0.{role}"},
    {"head.bn", "features.{N+1}.1.{role}"},
    {"classifier", "classifier.1.{role}"},
};

// torchvision.models.MNASNet is one Sequential, in which activations have an index, too. Indices 0 to 7 are the stem
// and the first block, which is separable.
constexpr NameRow kTorchvisionMnasNet[] = {
    {"stem.conv", "layers.0.{role}"},
    {"stem.bn", "layers.1.{role}"},
    {"stages.0.0.depthwise.conv", "layers.3.{role}", Blocks::plain},
    {"stages.0.0.depthwise.bn", "layers.4.{role}", Blocks::plain},
    {"stages.0.0.project.conv", "layers.6.{role}", Blocks::plain},
    {"stages.0.0.project.bn", "layers.7.{role}", Blocks::plain},
    {"stages.{s}.{j}.expand.conv", "layers.{s+7}.{j}.layers.0.{role}", Blocks::full},
    {"stages.{s}.{j}.expand.bn", "layers.{s+7}.{j}.layers.1.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.conv", "layers.{s+7}.{j}.layers.3.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.bn", "layers.{s+7}.{j}.layers.4.{role}", Blocks::full},
    {"stages.{s}.{j}.project.conv", "layers.{s+7}.{j}.layers.6.{role}", Blocks::full},
    {"stages.{s}.{j}.project.bn", "layers.{s+7}.{j}.layers.7.{role}", Blocks::full},
    {"head.conv", "layers.{S+7}.{role}"},
    {"head.bn", "layers.{S+8}.{role}"},
    {"classifier", "classifier.1.{role}"},
};

constexpr NameRow kResNet[] = {
    {"stem.conv", "conv1.{role}"},
    {"stem.bn", "bn1.{role}"},
    {"stages.{s}.{j}.conv1.conv", "layer{s+1}.{j}.conv1.{role}"},
    {"stages.{s}.{j}.conv1.bn", "layer{s+1}.{j}.bn1.{role}"},
    {"stages.{s}.{j}.conv2.conv", "layer{s+1}.{j}.conv2.{role}"},
    {"stages.{s}.{j}.conv2.bn", "layer{s+1}.{j}.bn2.{role}"},
    {"stages.{s}.{j}.conv3.conv", "layer{s+1}.{j}.conv3.{role}"},
    {"stages.{s}.{j}.conv3.bn", "layer{s+1}.{j}.bn3.{role}"},
    {"stages.{s}.{j}.downsample.conv", "layer{s+1}.{j}.downsample.0.{role}"},
    {"stages.{s}.{j}.downsample.bn", "layer{s+1}.{j}.downsample.1.{role}"},
    {"classifier", "fc.{role}"},
};

// In timm, conv_pw is the projection of a plain block, but the expansion of a full block. This table is for all
// networks of timm's efficientnet builder: EfficientNet, Lite, MnasNet, MobileNetV1 (without a head convolution) and
// MobileNetV2.
constexpr NameRow kTimm[] = {
    {"stem.conv", "conv_stem.{role}"},
    {"stem.bn", "bn1.{role}"},
    {"stages.{s}.{j}.depthwise.conv", "blocks.{s}.{j}.conv_dw.{role}"},
    {"stages.{s}.{j}.depthwise.bn", "blocks.{s}.{j}.bn1.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.conv", "blocks.{s}.{j}.conv_pw.{role}", Blocks::plain},
    {"stages.{s}.{j}.project.bn", "blocks.{s}.{j}.bn2.{role}", Blocks::plain},
    {"stages.{s}.{j}.expand.conv", "blocks.{s}.{j}.conv_pw.{role}", Blocks::full},
    {"stages.{s}.{j}.expand.bn", "blocks.{s}.{j}.bn1.{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.bn", "blocks.{s}.{j}.bn2.{role}", Blocks::full},
    {"stages.{s}.{j}.project.conv", "blocks.{s}.{j}.conv_pwl.{role}", Blocks::full},
    {"stages.{s}.{j}.project.bn", "blocks.{s}.{j}.bn3.{role}", Blocks::full},
    {"stages.{s}.{j}.se.reduce", "blocks.{s}.{j}.se.conv_reduce.{role}"},
    {"stages.{s}.{j}.se.expand", "blocks.{s}.{j}.se.conv_expand.{role}"},
    {"head.conv", "conv_head.{role}"},
    {"head.bn", "bn2.{role}"},
    {"classifier", "classifier.{role}"},
};

// EfficientNet-PyTorch and the Lite packages derived from it.
constexpr NameRow kLukemelas[] = {
    {"stem.conv", "_conv_stem.{role}"},
    {"stem.bn", "_bn0.{role}"},
    {"stages.{s}.{j}.expand.conv", "_blocks.{i}._expand_conv.{role}"},
    {"stages.{s}.{j}.expand.bn", "_blocks.{i}._bn0.{role}"},
    {"stages.{s}.{j}.depthwise.conv", "_blocks.{i}._depthwise_conv.{role}"},
    {"stages.{s}.{j}.depthwise.bn", "_blocks.{i}._bn1.{role}"},
    {"stages.{s}.{j}.se.reduce", "_blocks.{i}._se_reduce.{role}"},
    {"stages.{s}.{j}.se.expand", "_blocks.{i}._se_expand.{role}"},
    {"stages.{s}.{j}.project.conv", "_blocks.{i}._project_conv.{role}"},
    {"stages.{s}.{j}.project.bn", "_blocks.{i}._bn2.{role}"},
    {"head.conv", "_conv_head.{role}"},
    {"head.bn", "_bn1.{role}"},
    {"classifier", "_fc.{role}"},
};

// Inside a scope, TensorFlow numbers the layers of one type in the order of their calls. A plain block has no
// expansion, so the numbers of its layers are lower by one.
constexpr NameRow kTensorFlow[] = {
    {"stem.conv", "{model}/stem/conv2d/{role}"},
    {"stem.bn", "{model}/stem/tpu_batch_normalization/{role}"},
    {"stages.{s}.{j}.depthwise.conv", "{model}/blocks_{i}/depthwise_conv2d/depthwise_{role}"},
    {"stages.{s}.{j}.depthwise.bn", "{model}/blocks_{i}/tpu_batch_normalization/{role}", Blocks::plain},
    {"stages.{s}.{j}.project.conv", "{model}/blocks_{i}/conv2d/{role}", Blocks::plain},
    {"stages.{s}.{j}.project.bn", "{model}/blocks_{i}/tpu_batch_normalization_1/{role}", Blocks::plain},
    {"stages.{s}.{j}.expand.conv", "{model}/blocks_{i}/conv2d/{role}", Blocks::full},
    {"stages.{s}.{j}.expand.bn", "{model}/blocks_{i}/tpu_batch_normalization/{role}", Blocks::full},
    {"stages.{s}.{j}.depthwise.bn", "{model}/blocks_{i}/tpu_batch_normalization_1/{role}", Blocks::full},
    {"stages.{s}.{j}.project.conv", "{model}/blocks_{i}/conv2d_1/{role}", Blocks::full},
    {"stages.{s}.{j}.project.bn", "{model}/blocks_{i}/tpu_batch_normalization_2/{role}", Blocks::full},
    {"stages.{s}.{j}.se.reduce", "{model}/blocks_{i}/se/conv2d/{role}"},
    {"stages.{s}.{j}.se.expand", "{model}/blocks_{i}/se/conv2d_1/{role}"},
    {"head.conv", "{model}/head/conv2d/{role}"},
    {"head.bn", "{model}/head/tpu_batch_normalization/{role}"},
    {"classifier", "{model}/head/dense/{role}"},
};

const NameScheme kSchemes[] = {
    {.source = "effnet", .network = "any network", .probe = "stem.conv.weight", .counters = false, .rows = {}},
    {.source = "torchvision",
     .network = "EfficientNet",
     .probe = "features.0.0.weight",
     .rows = kTorchvisionEfficientNet,
     .every_block = "se.reduce"},
    {.source = "torchvision",
     .network = "MobileNetV2",
     .probe = "features.0.0.weight",
     .rows = kTorchvisionMobileNetV2,
     .needs = "head.conv",
     .kernel = 3},
    {.source = "torchvision",
     .network = "MNASNet",
     .probe = "layers.0.weight",
     .rows = kTorchvisionMnasNet,
     .needs = "head.conv",
     .activation = graph::Activation::relu},
    {.source = "torchvision", .network = "ResNet", .probe = "conv1.weight", .rows = kResNet},
    {.source = "timm", .network = "EfficientNet", .probe = "conv_stem.weight", .rows = kTimm},
    {.source = "timm", .network = "ResNet", .probe = "conv1.weight", .rows = kResNet},
    {.source = "lukemelas",
     .network = "EfficientNet",
     .probe = "_conv_stem.weight",
     .rows = kLukemelas,
     .needs = "head.conv"},
    {.source = "tf",
     .network = "EfficientNet",
     .probe = "{model}/stem/conv2d/kernel",
     .layout = Layout::tensorflow,
     .counters = false,
     .rows = kTensorFlow,
     .needs = "head.conv"},
};

}  // namespace

std::span<const NameScheme> name_schemes() { return kSchemes; }

}  // namespace effnet::formats
