// ArchSpec -> Graph for a resolution and a number of classes.
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

// Throws Error(input) for a number out of its range (arch::check), an unknown block kind, a filter count a block cannot
// use, or a resolution too small.
EFFNET_API Graph lower(const arch::ArchSpec& spec, const LowerOptions& options = {});

}  // namespace effnet::graph
