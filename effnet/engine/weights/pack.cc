#include "effnet/engine/weights/pack.h"

#include <algorithm>
#include <cmath>

#include "effnet/engine/weights/layout.h"
#include "effnet/primitives/winograd.h"

namespace effnet::engine {
namespace {

using graph::Graph;
using graph::Node;
using kernels::kBlock;

}  // namespace

Packer::Packer(const Graph& graph, const ParameterSource& parameters, const kernels::Target& target)
    : graph_(graph), parameters_(parameters), set_(kernels::kernel_set(target)), norms_(folded_norms(graph)) {}

void Packer::pack(NodeId id, std::byte* weight_bytes, std::byte* bias_bytes) const {
  auto* const weight = reinterpret_cast<float*>(weight_bytes);
  auto* const bias = reinterpret_cast<float*>(bias_bytes);
  const Node& node = graph_.at(id);
  if (std::holds_alternative<graph::BatchNorm>(node.op)) {
    const Affine affine = affine_of(id, node.out.c);
    for (std::size_t c = 0; c < affine.scale.size(); ++c) {
      weight[c] = static_cast<float>(affine.scale[c]);
      bias[c] = static_cast<float>(affine.shift[c]);
    }
    return;
  }
  const std::span<const float> values = parameter(node, graph::ParameterKind::weight);
  Affine affine = affine_of(norms_[static_cast<std::size_t>(id)], node.out.c);
  const graph::Conv* const conv = find_op<graph::Conv>(graph_, id);
  if (conv == nullptr || conv->bias) {
    const std::span<const float> own = parameter(node, graph::ParameterKind::bias);
    for (std::size_t c = 0; c < own.size(); ++c) affine.shift[c] += affine.scale[c] * own[c];
  }
  for (std::size_t c = 0; c < affine.shift.size(); ++c) bias[c] = static_cast<float>(affine.shift[c]);
  if (uses_winograd(graph_, id)) {
    primitives::pack_winograd(packed_shape(graph_, set_, id), values, affine.scale, weight);
  } else if (is_depthwise(graph_, id)) {
    pack_depthwise(id, values, affine.scale, weight);
  } else {
    pack_gemm(id, values, affine.scale, weight);
  }
}

std::span<const float> Packer::parameter(const Node& node, graph::ParameterKind kind) const {
  return parameters_.at(graph::parameter(graph_, node, kind));
}

// Converts a batch norm to scale and shift. Returns scale 1 and shift 0 if `norm` is kNone.
Packer::Affine Packer::affine_of(NodeId norm, std::int64_t channels) const {
  Affine affine{std::vector<double>(static_cast<std::size_t>(channels), 1.0),
                std::vector<double>(static_cast<std::size_t>(channels), 0.0)};
  if (norm == kNone) return affine;
  const Node& node = graph_.at(norm);
  const auto weight = parameter(node, graph::ParameterKind::norm_weight),
             bias = parameter(node, graph::ParameterKind::norm_bias);
  const auto mean = parameter(node, graph::ParameterKind::norm_mean),
             variance = parameter(node, graph::ParameterKind::norm_variance);
  const double epsilon = std::get<graph::BatchNorm>(node.op).epsilon;
  for (std::size_t c = 0; c < affine.scale.size(); ++c) {
    affine.scale[c] = weight[c] / std::sqrt(double{variance[c]} + epsilon);
    affine.shift[c] = bias[c] - mean[c] * affine.scale[c];
  }
  return affine;
}

void Packer::pack_depthwise(NodeId id, std::span<const float> values, std::span<const double> scale, float* to) const {
  const graph::Conv& conv = *find_op<graph::Conv>(graph_, id);
  const std::int64_t channels = graph_.at(id).out.c, kernel = conv.kernel;
  const std::int64_t taps = kernel * kernel, in_pairs = pair_taps(set_, conv);
  float* const pairs = to + kernels::blocks_of(channels) * taps * kBlock;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* const window = values.data() + c * taps;
    const double factor = scale[static_cast<std::size_t>(c)];
    float* const block = to + c / kBlock * taps * kBlock + c % kBlock;
    for (std::int64_t tap = 0; tap < taps; ++tap) block[tap * kBlock] = static_cast<float>(window[tap] * factor);
    if (in_pairs == 0) continue;
    float* const pair = pairs + c / kBlock * in_pairs * kBlock + c % kBlock;
    for (std::int64_t x = 0; x < kernel; ++x) {
      const auto g = [&](std::int64_t y) { return y < kernel ? window[y * kernel + x] * factor : 0.0; };
      const double column[] = {g(0), (g(0) + g(1) + g(2)) / 2, (g(0) - g(1) + g(2)) / 2, g(2), g(3), g(3) + g(4), g(4)};
      for (std::int64_t position = 0; position < kernels::depthwise_pair_positions(kernel); ++position) {
        pair[(position * kernel + x) * kBlock] = static_cast<float>(column[position]);
      }
    }
  }
}

// Returns, for each k of the packed depth, the index (i, ky, kx) in a row of the original weight, or -1 for a padding
// zero.
std::vector<std::int64_t> Packer::rows_of(NodeId id) const {
  const primitives::DepthLayout depth = depth_of(graph_, id);
  const std::int64_t channels = graph_.in(graph_.at(id)).c;
  const graph::Conv* const conv = find_op<graph::Conv>(graph_, id);
  const std::int64_t kernel = conv == nullptr ? 1 : conv->kernel;
  const auto row = [&](std::int64_t c, std::int64_t ky, std::int64_t kx) { return (c * kernel + ky) * kernel + kx; };
  std::vector<std::int64_t> rows(static_cast<std::size_t>(depth.gemm.total()), -1);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::int64_t segment = static_cast<std::int64_t>(k) / depth.gemm.depth;
    const std::int64_t inside =
        segment % depth.segments_each * depth.gemm.depth + static_cast<std::int64_t>(k) % depth.gemm.depth;
    const std::int64_t outer = segment / depth.segments_each;  // image: row of the window; window: tap
    switch (depth.source) {
      case primitives::DepthLayout::Source::blocked:
        rows[k] = static_cast<std::int64_t>(k);
        break;
      case primitives::DepthLayout::Source::image:
        if (inside < kernel * channels) rows[k] = row(inside % channels, outer, inside / channels);
        break;
      case primitives::DepthLayout::Source::window:
        if (inside < channels) rows[k] = row(inside, outer / kernel, outer % kernel);
        break;
    }
  }
  return rows;
}

void Packer::pack_gemm(NodeId id, std::span<const float> values, std::span<const double> scale, float* to) const {
  const std::vector<std::int64_t> rows = rows_of(id);
  const std::size_t stride = values.size() / scale.size();  // of an output channel
  const primitives::PackedShape shape = packed_shape(graph_, set_, id);
  for (std::int64_t i = 0; i < shape.panels(); ++i) {
    pack_panel(shape, i, to, [&](std::int64_t k, std::int64_t channel, std::int64_t count, float* row) {
      const std::int64_t from = rows[static_cast<std::size_t>(k)];
      if (from < 0) return std::fill_n(row, count, 0.0F), void();
      for (std::int64_t n = 0; n < count; ++n) {
        const auto c = static_cast<std::size_t>(channel + n);
        row[n] = static_cast<float>(values[c * stride + static_cast<std::size_t>(from)] * scale[c]);
      }
    });
  }
}

}  // namespace effnet::engine
