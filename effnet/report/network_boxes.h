// Networks as rows of boxes (BoxRows in svg.h).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/graph/graph.h"
#include "effnet/report/svg.h"

namespace effnet::report {

// What the boxes show: for the caption of the drawing.
inline constexpr std::string_view kBoxesMeaning =
    "One box for each layer, from the input to the head. The height is the layer's output size in pixels, the width is "
    "the root of its channels. All rows have the same scale.";

// The legend's name for the boxes of stem and head (BoxRows::neutral).
inline constexpr std::string_view kStemAndHead = "stem and head";

// Returns a box for the stem, for each block and for the head. `graph` is the graph of `spec`. `parts` has for each
// stage its part of the drawing's legend; stem and head have a neutral colour. The hints count stages from
// `first_stage`; the paper's Table 1 counts from 2, because the stem is its stage 1.
std::vector<BoxRows::Box> network_boxes(const arch::ArchSpec& spec, const graph::Graph& graph,
                                        std::span<const std::size_t> parts, std::size_t first_stage = 1);

}  // namespace effnet::report
