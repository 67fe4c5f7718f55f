// Lowers an ArchSpec to the Graph for one resolution and number of classes.
#pragma once

#include <optional>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/graph/graph.h"

namespace effnet::graph {

struct LowerOptions {
  std::optional<Size> resolution = {};       // default: the spec's
  std::optional<std::int64_t> classes = {};  // default: the spec's
};

// Throws Error(input) for a number out of range (arch::check), an unknown block kind, a number of channels that a block
// does not support, or a too small resolution.
EFFNET_API Graph lower(const arch::ArchSpec& spec, const LowerOptions& options = {});

}  // namespace effnet::graph
