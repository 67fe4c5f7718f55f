// The schema of an arch file, shared by single specs (spec.h) and the family files (family.h).
#pragma once

#include "effnet/arch/spec.h"
#include "effnet/base/toml.h"

namespace effnet::arch {

// Reads the keys of an ArchSpec from `table` and calls finish() of the sub-tables. The caller may read more keys and
// then calls table.finish().
ArchSpec read_spec(const TomlTable& table);

}  // namespace effnet::arch
