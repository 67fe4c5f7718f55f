// Reads the text of an arch file. arch/spec.h defines the text, but does not know the kinds of blocks.
#pragma once

#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/base/toml.h"

namespace effnet::graph {

// arch::read_spec() and arch::parse(). They also throw Error(input) with SOURCE:LINE:COLUMN for an unknown kind of
// block, with the nearest known one as a hint.
arch::ArchSpec read_arch(const TomlTable& table);
arch::ArchSpec parse_arch(std::string_view text, std::string_view source);

}  // namespace effnet::graph
