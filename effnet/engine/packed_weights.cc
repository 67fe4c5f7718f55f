#include "effnet/engine/packed_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/engine/plan/fuse.h"
#include "effnet/engine/weights/layout.h"
#include "effnet/kernels/kernels.h"
#include "effnet/tensor/memory.h"

namespace effnet::engine {
namespace {

using graph::Graph;
using graph::Node;
using kernels::kBlock;

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

const graph::Conv* conv_of(const Graph& graph, NodeId id) { return std::get_if<graph::Conv>(&graph.at(id).op); }

// Folds every convolution's batch norm: weight * scale, bias * scale + shift, by output channel, in double.
class Packer {
 public:
  Packer(const Graph& graph, const Parameters& parameters, const kernels::KernelSet& set)
      : graph_(graph), parameters_(parameters), set_(set), norms_(folded_norms(graph)) {}

  void pack(NodeId id, float* weight, float* bias) const {
    const Node& node = graph_.at(id);
    if (std::holds_alternative<graph::BatchNorm>(node.op)) {
      const Affine affine = affine_of(id, node.out.c);
      for (std::size_t c = 0; c < affine.scale.size(); ++c) {
        weight[c] = static_cast<float>(affine.scale[c]);
        bias[c] = static_cast<float>(affine.shift[c]);
      }
      return;
    }
    const std::span<const float> values = parameter(node, "weight");
    Affine affine = affine_of(norms_[static_cast<std::size_t>(id)], node.out.c);
    const graph::Conv* const conv = conv_of(graph_, id);
    if (conv == nullptr || conv->bias) {
      const std::span<const float> own = parameter(node, "bias");
      for (std::size_t c = 0; c < own.size(); ++c) affine.shift[c] += affine.scale[c] * own[c];
    }
    for (std::size_t c = 0; c < affine.shift.size(); ++c) bias[c] = static_cast<float>(affine.shift[c]);
    if (uses_winograd(graph_, id)) {
      pack_winograd(node.out.c, graph_.in(node).c, values, affine.scale, weight);
    } else if (is_depthwise(graph_, id)) {
      pack_depthwise(node.out.c, *conv, values, affine.scale, weight);
    } else {
      pack_gemm(id, values, affine.scale, weight);
    }
  }

 private:
  struct Affine {
    std::vector<double> scale, shift;
  };

  std::span<const float> parameter(const Node& node, std::string_view role) const {
    return parameters_.find(fmt::format("{}.{}", node.name, role)).value();
  }

  // A batch norm as scale and shift; the identity for kNone.
  Affine affine_of(NodeId norm, std::int64_t channels) const {
    Affine affine{std::vector<double>(static_cast<std::size_t>(channels), 1.0),
                  std::vector<double>(static_cast<std::size_t>(channels), 0.0)};
    if (norm == kNone) return affine;
    const Node& node = graph_.at(norm);
    const auto weight = parameter(node, "weight"), bias = parameter(node, "bias");
    const auto mean = parameter(node, "running_mean"), variance = parameter(node, "running_var");
    const double epsilon = std::get<graph::BatchNorm>(node.op).epsilon;
    for (std::size_t c = 0; c < affine.scale.size(); ++c) {
      affine.scale[c] = weight[c] / std::sqrt(double{variance[c]} + epsilon);
      affine.shift[c] = bias[c] - mean[c] * affine.scale[c];
    }
    return affine;
  }

  void pack_depthwise(std::int64_t channels, const graph::Conv& conv, std::span<const float> values,
                      std::span<const double> scale, float* to) const {
    const std::int64_t kernel = conv.kernel, taps = kernel * kernel, in_pairs = pair_taps(set_, conv);
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
        const double column[] = {g(0), (g(0) + g(1) + g(2)) / 2, (g(0) - g(1) + g(2)) / 2, g(2), g(3), g(3) + g(4),
                                 g(4)};
        for (std::int64_t position = 0; position < kernels::depthwise_pair_positions(kernel); ++position) {
          pair[(position * kernel + x) * kBlock] = static_cast<float>(column[position]);
        }
      }
    }
  }

  // Position by position, G g G^T with G = [1 0 0; .5 .5 .5; .5 -.5 .5; 0 0 1]; each position is a matrix of its own.
  void pack_winograd(std::int64_t channels, std::int64_t depth, std::span<const float> values,
                     std::span<const double> scale, float* to) const {
    const primitives::PackedShape shape{channels, depth, set_.tile};
    std::vector<std::array<float, kWinogradPositions>> transformed(values.size() / 9);  // [channel][depth]
    for (std::size_t i = 0; i < transformed.size(); ++i) {
      const float* const g = values.data() + i * 9;
      const double factor = scale[i / static_cast<std::size_t>(depth)];
      double rows[4][3];
      for (int c = 0; c < 3; ++c) {
        rows[0][c] = g[c];
        rows[1][c] = 0.5 * (double{g[c]} + g[3 + c] + g[6 + c]);
        rows[2][c] = 0.5 * (double{g[c]} - g[3 + c] + g[6 + c]);
        rows[3][c] = g[6 + c];
      }
      for (std::size_t r = 0; r < 4; ++r) {
        const double u[4] = {rows[r][0], 0.5 * (rows[r][0] + rows[r][1] + rows[r][2]),
                             0.5 * (rows[r][0] - rows[r][1] + rows[r][2]), rows[r][2]};
        for (std::size_t c = 0; c < 4; ++c) transformed[i][4 * r + c] = static_cast<float>(u[c] * factor);
      }
    }
    for (std::size_t position = 0; position < kWinogradPositions; ++position) {
      float* const matrix = to + static_cast<std::int64_t>(position) * shape.values();
      for (std::int64_t i = 0; i < shape.panels(); ++i) {
        pack_panel(shape, i, matrix, [&](std::int64_t k, std::int64_t channel, std::int64_t count, float* row) {
          for (std::int64_t n = 0; n < count; ++n)
            row[n] = transformed[static_cast<std::size_t>((channel + n) * depth + k)][position];
        });
      }
    }
  }

  // Where each k of the packed depth comes from in a row of the weight (i, ky, kx), or -1 for a zero.
  std::vector<std::int64_t> rows_of(NodeId id) const {
    const primitives::DepthLayout depth = depth_of(graph_, id);
    const std::int64_t channels = graph_.in(graph_.at(id)).c;
    const graph::Conv* const conv = conv_of(graph_, id);
    const std::int64_t kernel = conv == nullptr ? 1 : conv->kernel;
    const auto row = [&](std::int64_t c, std::int64_t ky, std::int64_t kx) { return (c * kernel + ky) * kernel + kx; };
    std::vector<std::int64_t> rows(static_cast<std::size_t>(depth.gemm.total()), -1);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const std::int64_t segment = static_cast<std::int64_t>(k) / depth.gemm.depth;
      const std::int64_t inside =
          segment % depth.segments_each * depth.gemm.depth + static_cast<std::int64_t>(k) % depth.gemm.depth;
      const std::int64_t outer = segment / depth.segments_each;  // window row of an image, or tap
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

  void pack_gemm(NodeId id, std::span<const float> values, std::span<const double> scale, float* to) const {
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

  const Graph& graph_;
  const Parameters& parameters_;
  const kernels::KernelSet& set_;
  std::vector<NodeId> norms_;
};

std::shared_ptr<std::byte[]> huge_pages(std::size_t bytes) {
  return tensor::allocate((bytes + tensor::kHugePage - 1) / tensor::kHugePage * tensor::kHugePage, "packed weights");
}

struct Layout {
  std::vector<PackedWeights::Offsets> offsets;
  std::int64_t bytes = 0;
};

Layout layout_of(const Graph& graph, const kernels::KernelSet& set) {
  const std::vector<NodeId> norms = folded_norms(graph);
  std::vector<bool> folded(graph.nodes.size(), false);
  for (const NodeId norm : norms) {
    if (norm != kNone) folded[static_cast<std::size_t>(norm)] = true;
  }
  Layout layout;
  layout.offsets.resize(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (folded[i]) continue;
    const PackedSize size = packed_size(graph, set, static_cast<NodeId>(i));
    if (size.bias == 0) continue;
    layout.offsets[i] = {layout.bytes, layout.bytes + size.weight};
    layout.bytes += size.weight + size.bias;
  }
  return layout;
}

}  // namespace

primitives::DepthLayout depth_of(const Graph& graph, NodeId id) {
  const Node& node = graph.at(id);
  const graph::Conv* const conv = conv_of(graph, id);
  const std::int64_t channels = graph.in(node).c;
  if (conv != nullptr && node.inputs[0] == 0) return primitives::depth_of_image(channels, conv->kernel);
  if (conv != nullptr && (conv->kernel != 1 || conv->stride != 1))
    return primitives::depth_of_window(channels, conv->kernel);
  return {.gemm = primitives::depth_of_channels(channels)};
}

primitives::PackedShape packed_shape(const Graph& graph, const kernels::KernelSet& set, NodeId id) {
  const Node& node = graph.at(id);
  const std::int64_t depth = uses_winograd(graph, id) ? graph.in(node).c : depth_of(graph, id).gemm.total();
  return {node.out.c, depth, set.tile};
}

bool uses_winograd(const Graph& graph, NodeId id) {
  constexpr std::int64_t kFewest = 32;
  const graph::Conv* const conv = conv_of(graph, id);
  const Node& node = graph.at(id);
  return conv != nullptr && conv->kernel == 3 && conv->stride == 1 && conv->groups == 1 && node.inputs[0] != 0 &&
         graph.in(node).c >= kFewest && node.out.c >= kFewest;
}

std::int64_t pair_taps(const kernels::KernelSet& set, const graph::Conv& conv) {
  const bool pairs = set.depthwise_pair(conv.kernel, conv.stride, false, kernels::Epilogue::clamp) != nullptr;
  return pairs ? kernels::depthwise_pair_positions(conv.kernel) * conv.kernel : 0;
}

PackedSize packed_size(const Graph& graph, const kernels::KernelSet& set, NodeId id) {
  const Node& node = graph.at(id);
  const std::int64_t channels = tensor::blocks_of(node.out.c) * kBlock;
  const auto size_of = [&](std::int64_t values) {  // of so many weights, and of a bias
    const auto bytes = [](std::int64_t n) {
      return round_up(n * static_cast<std::int64_t>(sizeof(float)), kernels::kAlignment);
    };
    return PackedSize{bytes(values), bytes(channels)};
  };
  if (std::holds_alternative<graph::BatchNorm>(node.op)) return size_of(channels);
  const graph::Conv* const conv = conv_of(graph, id);
  if (conv == nullptr && !std::holds_alternative<graph::Linear>(node.op)) return {};
  if (is_depthwise(graph, id)) return size_of(channels * (conv->kernel * conv->kernel + pair_taps(set, *conv)));
  const std::int64_t values = packed_shape(graph, set, id).values();
  return size_of(uses_winograd(graph, id) ? kWinogradPositions * values : values);
}

std::shared_ptr<const PackedWeights> PackedWeights::pack(const Graph& graph, const Parameters& parameters,
                                                         const kernels::Target& target, ThreadPool& pool) {
  kernels::require(target.isa);
  parameters.check(graph);
  const kernels::KernelSet& set = kernels::kernel_set(target.isa);
  Layout layout = layout_of(graph, set);
  const auto size = static_cast<std::size_t>(layout.bytes);
  const std::shared_ptr<std::byte[]> memory = huge_pages(size);
  std::memset(memory.get(), 0, size);  // padding channels and depths are zeros
  const Packer packer(graph, parameters, set);
  const auto floats_at = [&](std::int64_t offset) { return reinterpret_cast<float*>(memory.get() + offset); };
  pool.parallel_for(static_cast<std::int64_t>(graph.nodes.size()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Offsets& at = layout.offsets[static_cast<std::size_t>(i)];
      if (at.weight >= 0) packer.pack(static_cast<NodeId>(i), floats_at(at.weight), floats_at(at.bias));
    }
  });
  return adopt(graph, target, {memory.get(), size}, memory);
}

std::shared_ptr<const PackedWeights> PackedWeights::adopt(const Graph& graph, const kernels::Target& target,
                                                          std::span<const std::byte> bytes,
                                                          std::shared_ptr<const void> owner) {
  kernels::require(target.isa);
  Layout layout = layout_of(graph, kernels::kernel_set(target.isa));
  if (bytes.size() != static_cast<std::size_t>(layout.bytes)) {
    throw input_error("packed weights of another network (got {} bytes, expected {})", bytes.size(), layout.bytes);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kernels::kAlignment != 0) {
    throw input_error("packed weights that are not aligned (got an address not divisible by {})", kernels::kAlignment);
  }
  std::shared_ptr<PackedWeights> weights(new PackedWeights);
  weights->target_ = target;
  weights->bytes_ = bytes;
  weights->owner_ = std::move(owner);
  weights->offsets_ = std::move(layout.offsets);
  return weights;
}

bool PackedWeights::fit(const Graph& graph) const {
  const Layout layout = layout_of(graph, kernels::kernel_set(target_.isa));
  return bytes_.size() == static_cast<std::size_t>(layout.bytes) && offsets_ == layout.offsets;
}

std::shared_ptr<const PackedWeights> PackedWeights::in_huge_pages() const {
  const std::shared_ptr<std::byte[]> memory = huge_pages(bytes_.size());
  std::memcpy(memory.get(), bytes_.data(), bytes_.size());
  std::shared_ptr<PackedWeights> copy(new PackedWeights(*this));
  copy->bytes_ = {memory.get(), bytes_.size()};
  copy->owner_ = memory;
  return copy;
}

std::int64_t PackedWeights::size_bytes(const Graph& graph, const kernels::Target& target) {
  return layout_of(graph, kernels::kernel_set(target.isa)).bytes;
}

}  // namespace effnet::engine
