#include "effnet/graph/builder.h"

#include "effnet/base/error.h"

namespace effnet::graph {
namespace {

using Shapes = std::vector<Chw>;

// A hand-written network may wire what does not fit: branches of a block under an odd padding or stride.
Error mismatch(const Chw& a, const Chw& b) {
  return input_error("joins shapes that differ (got {}x{}x{} and {}x{}x{}, expected the same)", a.c, a.h, a.w, b.c, b.h,
                     b.w);
}

// One overload an op: the output shape of one image.
struct InferShape {
  const Shapes& in;

  Chw window(std::int64_t channels, std::int64_t kernel, std::int64_t stride, Padding padding) const {
    return {channels, resolve_padding(padding, in[0].h, kernel, stride).out,
            resolve_padding(padding, in[0].w, kernel, stride).out};
  }

  Chw operator()(const Input&) const { return in[0]; }
  Chw operator()(const Conv& op) const {
    EFFNET_CHECK(op.groups > 0 && in[0].c % op.groups == 0 && op.out_channels % op.groups == 0);
    return window(op.out_channels, op.kernel, op.stride, op.padding);
  }
  Chw operator()(const Pool& op) const { return window(in[0].c, op.kernel, op.stride, op.padding); }
  Chw operator()(const GlobalPool&) const { return {in[0].c, 1, 1}; }
  Chw operator()(const Linear& op) const {
    EFFNET_CHECK(in[0].pixels() == 1);
    return {op.out_features, 1, 1};
  }
  Chw operator()(const Add&) const {
    EFFNET_CHECK(in.size() == 2);
    if (in[0] != in[1]) throw mismatch(in[0], in[1]);
    return in[0];
  }
  Chw operator()(const Mul&) const {
    EFFNET_CHECK(in.size() == 2 && in[1].c == in[0].c && in[1].pixels() == 1);
    return in[0];
  }
  Chw operator()(const Concat&) const {
    Chw out = in[0];
    for (std::size_t i = 1; i < in.size(); ++i) {
      if (in[i].h != out.h || in[i].w != out.w) throw mismatch(in[0], in[i]);
      out.c += in[i].c;
    }
    return out;
  }
  Chw operator()(const Pad& op) const {
    const Chw out{in[0].c, in[0].h + op.top + op.bottom, in[0].w + op.left + op.right};
    if (out.h < 1 || out.w < 1)
      throw input_error("the resolution is too small for this network (a crop leaves nothing)");
    return out;
  }
  template <class Elementwise>
  Chw operator()(const Elementwise&) const {
    return in[0];
  }
};

}  // namespace

Builder::Builder(std::string name, Chw input) {
  graph_.name = std::move(name);
  graph_.nodes.push_back({"input", Input{}, {}, input});
}

NodeId Builder::add(std::string name, Op op, std::vector<NodeId> inputs) {
  Shapes shapes;
  for (const NodeId id : inputs) {
    EFFNET_CHECK(id >= 0 && static_cast<std::size_t>(id) < graph_.nodes.size());
    shapes.push_back(shape(id));
  }
  EFFNET_CHECK(!shapes.empty());
  const auto infer = [&] {
    try {
      return std::visit(InferShape{shapes}, op);
    } catch (const Error& error) {
      throw error.in(name);
    }
  };
  const Chw out = infer();
  graph_.nodes.push_back({std::move(name), op, std::move(inputs), out});
  return static_cast<NodeId>(graph_.nodes.size() - 1);
}

}  // namespace effnet::graph
