#include "effnet/engine/packed_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/kernels/kernels.h"

namespace effnet::engine {
namespace {

using graph::NodeId;

class PackedWeightsTest : public testing::Test {
 protected:
  const graph::Graph graph_ = testkit::lower_at(testkit::mbconv_network(), {32, 32});
  const Parameters parameters_{testkit::nontrivial_weights(graph_)};
};

TEST_F(PackedWeightsTest, AdoptedBytesGiveTheSameBits) {
  const std::vector<float> input = testkit::normal_values("images", graph_.input().numel());
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const auto packed = testkit::pack(graph_, parameters_, isa);
    const std::span<const std::byte> bytes = packed->bytes();
    EXPECT_EQ(static_cast<std::int64_t>(bytes.size()), PackedWeights::size_bytes(graph_, {isa}));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % kernels::kAlignment, 0U);
    EXPECT_EQ(packed->target(), kernels::Target{isa});

    const std::shared_ptr<void> copy(std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64), std::free);
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    const auto adopted =
        PackedWeights::adopt(graph_, {isa}, {static_cast<const std::byte*>(copy.get()), bytes.size()}, copy);
    EXPECT_EQ(adopted->bytes().data(), static_cast<const void*>(copy.get()));
    EXPECT_EQ(copy.use_count(), 2);  // adopt() keeps the owner
    EXPECT_TRUE(adopted->fit(graph_));
    const auto expected = testkit::run(graph_, packed, input, {});
    EXPECT_EQ(testkit::run(graph_, adopted, input, {}), expected);
    EXPECT_EQ(testkit::run(graph_, adopted->in_huge_pages(), input, {}), expected);
  }
}

// Every CPU lacks at least one instruction set: no processor has both AVX2 and NEON.
TEST_F(PackedWeightsTest, InstructionSetsThatThisCpuDoesNotHaveAreRefused) {
  const std::vector<kernels::Isa> usable = kernels::usable_sets();
  ThreadPool pool(1);
  int unsupported = 0;
  for (std::size_t i = 0; i < kernels::kIsas; ++i) {
    const auto isa = static_cast<kernels::Isa>(i);
    if (std::find(usable.begin(), usable.end(), isa) != usable.end()) continue;
    ++unsupported;
    const auto refused = [&](const char* what, auto function) {
      try {
        function();
        ADD_FAILURE() << what << " accepted " << name(isa);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::environment) << what;
        EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr(name(isa)), testing::HasSubstr("portable")));
      }
    };
    refused("pack", [&] { PackedWeights::pack(graph_, parameters_, {isa}, pool); });
    refused("adopt", [&] { PackedWeights::adopt(graph_, {isa}, {}, nullptr); });
  }
  EXPECT_GT(unsupported, 0);
}

TEST_F(PackedWeightsTest, OtherBytesAreRefused) {
  const kernels::Isa isa = kernels::Isa::portable;
  const auto size = static_cast<std::size_t>(PackedWeights::size_bytes(graph_, {isa}));
  const std::shared_ptr<void> memory(std::aligned_alloc(64, size / 64 * 64 + 128), std::free);
  const auto* const bytes = static_cast<const std::byte*>(memory.get());
  const auto refused = [&](std::size_t offset, std::size_t count, const char* part) {
    try {
      PackedWeights::adopt(graph_, {isa}, {bytes + offset, count}, memory);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), testing::HasSubstr(part));
    }
  };
  refused(0, size - 4, "another network");
  refused(0, size + 4, "another network");
  refused(0, 0, "another network");
  refused(4, size, "not aligned");
  refused(32, size, "not aligned");
}

TEST_F(PackedWeightsTest, MissingParametersAreRefused) {
  tensor::Weights weights = testkit::nontrivial_weights(graph_);
  weights.tensors.erase("head.bn.running_var");
  EXPECT_THROW(testkit::pack(graph_, Parameters(weights), kernels::Isa::portable), Error);
}

// The bytes do not depend on resolution or threads.
TEST_F(PackedWeightsTest, LayoutDependsOnTheLayersOnly) {
  const graph::Graph other = testkit::lower_at(testkit::mbconv_network(), {197, 311});
  for (const kernels::Isa isa : kernels::usable_sets()) {
    ThreadPool one(1), three(3);
    const auto a = PackedWeights::pack(graph_, parameters_, {isa}, one);
    const auto b = PackedWeights::pack(other, parameters_, {isa}, three);
    ASSERT_EQ(a->bytes().size(), b->bytes().size());
    EXPECT_EQ(std::memcmp(a->bytes().data(), b->bytes().data(), a->bytes().size()), 0);
    EXPECT_TRUE(a->fit(other));
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      EXPECT_EQ(a->offsets(static_cast<NodeId>(i)), b->offsets(static_cast<NodeId>(i)));
    }
  }
}

// Checks every value: weight * scale and (bias - mean * scale), computed in double and rounded once.
TEST_F(PackedWeightsTest, BatchNormIsFoldedInDouble) {
  const auto values = [&](const std::string& name) { return parameters_.find(name).value(); };
  const auto scale_of = [&](const std::string& norm, std::size_t c) {
    return values(norm + ".weight")[c] / std::sqrt(double{values(norm + ".running_var")[c]} + 1e-3);
  };
  const auto id_of = [&](const std::string& name) {
    return static_cast<NodeId>(graph_.find(name) - graph_.nodes.data());
  };
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const auto packed = testkit::pack(graph_, parameters_, isa);
    const auto floats = [&](std::int64_t offset) {
      return reinterpret_cast<const float*>(packed->bytes().data() + offset);
    };
    const std::int64_t tile = kernels::kernel_set({isa}).tile;
    // A 1x1 convolution from 72 to 40 channels. Its weights are panels of output channels, each with the layout [input
    // channel k][output channel]; the last panel is narrower.
    const std::string point = "stages.2.0.project";
    const PackedWeights::Offsets at = packed->offsets(id_of(point + ".conv"));
    const std::int64_t channels = 40, depth = 72;
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const double scale = scale_of(point + ".bn", i);
      const double shift = values(point + ".bn.bias")[i] - values(point + ".bn.running_mean")[i] * scale;
      EXPECT_EQ(floats(at.bias)[c], static_cast<float>(shift));
      const std::int64_t first = c / tile * tile, width = std::min(tile, channels - first);
      for (std::int64_t k = 0; k < depth; ++k) {
        const float weight = values(point + ".conv.weight")[static_cast<std::size_t>(c * depth + k)];
        ASSERT_EQ(floats(at.weight)[first * depth + k * width + c % tile], static_cast<float>(weight * scale));
      }
    }
    // A 3x3 depthwise convolution of 18 channels. Its weights are blocks of 16 channels, each with the layout
    // [tap][channel]; padding lanes are zero.
    const std::string deep = "stages.0.0.depthwise";
    const PackedWeights::Offsets rows = packed->offsets(id_of(deep + ".conv"));
    for (std::int64_t c = 0; c < 32; ++c) {
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const float got = floats(rows.weight)[c / 16 * 9 * 16 + tap * 16 + c % 16];
        const auto i = static_cast<std::size_t>(c);
        const double expected =
            c < 18 ? values(deep + ".conv.weight")[i * 9 + static_cast<std::size_t>(tap)] * scale_of(deep + ".bn", i)
                   : 0.0;
        ASSERT_EQ(got, static_cast<float>(expected)) << c << " " << tap;
      }
    }
    // After both blocks come the weights for pairs of rows, with the layout [position][column][channel], then the bias.
    // There are 2 blocks of 16 channels of 4 bytes, each with 9 taps, and for pairs with 4 positions x 3 columns.
    const bool has_pairs = !kernels::kernel_set({isa}).depthwise_pairs.empty();
    EXPECT_EQ(rows.bias - rows.weight, 4 * 2 * 16 * (9 + (has_pairs ? 4 * 3 : 0)));
    for (std::int64_t c = 0; has_pairs && c < 32; ++c) {
      for (std::int64_t x = 0; x < 3; ++x) {
        const auto i = static_cast<std::size_t>(c);
        const auto g = [&](std::int64_t y) {
          return c < 18 ? values(deep + ".conv.weight")[i * 9 + static_cast<std::size_t>(y * 3 + x)] *
                              scale_of(deep + ".bn", i)
                        : 0.0;
        };
        const double expected[] = {g(0), (g(0) + g(1) + g(2)) / 2, (g(0) - g(1) + g(2)) / 2, g(2)};
        for (std::int64_t p = 0; p < 4; ++p) {
          const float got = floats(rows.weight)[2 * 16 * 9 + c / 16 * 12 * 16 + (p * 3 + x) * 16 + c % 16];
          ASSERT_EQ(got, static_cast<float>(expected[p])) << c << " " << p << " " << x;
        }
      }
    }
    // A convolution with a bias and without batch norm.
    const PackedWeights::Offsets gate = packed->offsets(id_of("stages.0.0.se.expand"));
    for (std::size_t c = 0; c < 18; ++c) {
      EXPECT_EQ(floats(gate.bias)[static_cast<std::int64_t>(c)], values("stages.0.0.se.expand.bias")[c]);
    }
    // Folded batch norms and activations have no packed values.
    EXPECT_EQ(packed->offsets(id_of("stem.bn")).weight, -1);
    EXPECT_EQ(packed->offsets(id_of("stages.0.0.se.gate")).bias, -1);
  }
}

}  // namespace
}  // namespace effnet::engine
