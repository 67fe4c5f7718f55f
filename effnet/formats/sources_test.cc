#include "effnet/formats/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"

namespace effnet::formats {
namespace {

constexpr auto kSame = arch::Padding::same;
constexpr auto kSymmetric = arch::Padding::symmetric;

// The expected values are copied by hand from the tables in docs/reference/checkpoints.md, sections 3 and 4. `crop` and
// `resize` are in pixels, `mean` is that of the first channel.
struct Case {
  std::string_view source, names, model;
  double epsilon;
  arch::Padding padding;
  std::int64_t crop, resize;
  Filter filter;
  double mean;
};
const Case kCases[] = {
    {"torchvision", "torchvision", "efficientnet_b0", 1e-5, kSymmetric, 224, 256, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b1", 1e-5, kSymmetric, 240, 256, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b2", 1e-5, kSymmetric, 288, 288, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b3", 1e-5, kSymmetric, 300, 320, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b4", 1e-5, kSymmetric, 380, 384, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b5", 1e-3, kSymmetric, 456, 456, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b6", 1e-3, kSymmetric, 528, 528, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "efficientnet_b7", 1e-3, kSymmetric, 600, 600, Filter::bicubic, 0.485},
    {"torchvision", "torchvision", "mobilenet_v2", 1e-5, kSymmetric, 224, 256, Filter::bilinear, 0.485},
    {"torchvision", "torchvision", "mnasnet_b1", 1e-5, kSymmetric, 224, 256, Filter::bilinear, 0.485},
    {"torchvision", "torchvision", "resnet152", 1e-5, kSymmetric, 224, 256, Filter::bilinear, 0.485},
    {"timm", "timm", "efficientnet_b0", 1e-5, kSymmetric, 224, 256, Filter::bicubic, 0.485},
    {"timm", "timm", "efficientnet_b2", 1e-5, kSymmetric, 288, 288, Filter::bicubic, 0.485},
    {"timm", "timm", "efficientnet_lite0", 1e-5, kSymmetric, 224, 256, Filter::bicubic, 0.485},
    {"timm", "timm", "mobilenet_v1", 1e-5, kSymmetric, 224, 256, Filter::bicubic, 0.485},
    {"timm", "timm", "resnet50", 1e-5, kSymmetric, 224, 256, Filter::bilinear, 0.485},
    {"tf", "timm", "efficientnet_b0", 1e-3, kSame, 224, 256, Filter::bicubic, 0.485},
    {"tf", "timm", "efficientnet_b1", 1e-3, kSame, 240, 272, Filter::bicubic, 0.485},  // floor(240/0.882)
    {"tf", "timm", "efficientnet_b7", 1e-3, kSame, 600, 632, Filter::bicubic, 0.485},  // floor(600/0.949)
    {"tf", "timm", "efficientnet_lite0", 1e-3, kSame, 224, 256, Filter::bicubic, 0.5},
    {"tf", "timm", "efficientnet_lite4", 1e-3, kSame, 380, 413, Filter::bilinear, 0.5},
    {"tf", "tf", "efficientnet_b3", 1e-3, kSame, 300, 332, Filter::tf_bicubic, 0.485},
    {"tf", "tf", "efficientnet_lite2", 1e-3, kSame, 260, 292, Filter::tf_bilinear, 127 / 255.},
    {"lukemelas", "lukemelas", "efficientnet_b0", 1e-3, kSame, 224, 256, Filter::tf_bicubic, 0.485},
    {"lukemelas", "lukemelas", "efficientnet_lite1", 1e-3, kSame, 240, 272, Filter::tf_bilinear, 127 / 255.},
    {"effnet", "effnet", "efficientnet_b0", 1e-3, kSame, 224, 256, Filter::tf_bicubic, 0.485},
    {"effnet", "effnet", "resnet50", 1e-5, kSymmetric, 224, 256, Filter::bilinear, 0.485},
};

TEST(Sources, GiveThePublishedNumerics) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(fmt::format("{} {} {}", c.source, c.names, c.model));
    const arch::ArchSpec& spec = arch::variant(c.model).spec;
    const SourceRule* rule = find_source_rule(c.source, c.names, spec);
    ASSERT_TRUE(rule);
    const Numerics got = numerics_of(*rule, spec);
    EXPECT_EQ(got.bn_epsilon, c.epsilon);
    EXPECT_EQ(got.padding, c.padding);
    EXPECT_EQ(got.preprocessing.crop, (Size{c.crop, c.crop}));
    EXPECT_EQ(got.preprocessing.resize, (Size{c.resize, c.resize}));
    EXPECT_EQ(got.preprocessing.filter, c.filter);
    EXPECT_EQ(got.preprocessing.mean[0], c.mean);
  }
}

TEST(Sources, AreAmbiguousOnlyForTimmsEfficientNets) {
  const auto sources = [](std::string_view names, std::string_view model) {
    return sources_using_names(names, arch::variant(model).spec);
  };
  using testing::ElementsAre;
  EXPECT_THAT(sources("timm", "efficientnet_b4"), ElementsAre("timm", "tf"));
  EXPECT_THAT(sources("timm", "efficientnet_lite3"), ElementsAre("timm", "tf"));
  EXPECT_THAT(sources("timm", "mobilenet_v2"), ElementsAre("timm"));
  EXPECT_THAT(sources("timm", "resnet50"), ElementsAre("timm"));
  EXPECT_THAT(sources("torchvision", "efficientnet_b4"), ElementsAre("torchvision"));
  EXPECT_THAT(sources("lukemelas", "efficientnet_lite0"), ElementsAre("lukemelas"));
  EXPECT_THAT(sources("tf", "efficientnet_b0"), ElementsAre("tf"));
  EXPECT_THAT(sources("effnet", "amoebanet_b"), ElementsAre("effnet"));
  EXPECT_TRUE(source_uses_names("tf", "timm"));
  EXPECT_FALSE(source_uses_names("torchvision", "timm"));
  // The source is also ambiguous for a custom network whose arch family is EfficientNet.
  arch::ArchSpec own = arch::variant("efficientnet_b0").spec;
  own.name = "mine";
  EXPECT_THAT(sources_using_names("timm", own), ElementsAre("timm", "tf"));
  EXPECT_EQ(numerics_of(*find_source_rule("tf", "timm", own), own).preprocessing.rule, "timm");
}

TEST(Sources, ChangeTheStemsPaddingOnlyIfItEqualsTheNetworks) {
  arch::ArchSpec spec = arch::variant("efficientnet_b0").spec;
  EXPECT_EQ(with_numerics(spec, 1e-5, kSymmetric).stem.padding, kSymmetric);
  spec.stem.padding = arch::Padding::valid;
  const arch::ArchSpec moved = with_numerics(spec, 1e-5, kSymmetric);
  EXPECT_EQ(moved.stem.padding, arch::Padding::valid);
  EXPECT_EQ(moved.padding, kSymmetric);
  EXPECT_EQ(moved.bn_epsilon, 1e-5);
}

}  // namespace
}  // namespace effnet::formats
