// The named networks: arch/*.toml of the repository, built into the binary. A file contains one ArchSpec and optional
// [[variants]] that scale it. A new family needs only a new file (docs/adding-a-model.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

struct Published {           // the paper's figures as printed; empty if the paper gives none
  std::string params, macs;  // "5.3M", "0.39B"
};

struct Variant {
  std::string name;
  std::string base;                  // name of the unscaled ArchSpec in the same file
  std::int64_t base_resolution = 0;  // its input side in pixels
  double width = 1;                  // width and depth: the published coefficients, which are rounded; 1: unscaled
  double depth = 1;
  std::int64_t resolution = 0;
  Published published;
  ArchSpec spec;  // scaled
};

// All named networks, in the order of `effnet models`. Parsed once, at first use (thread-safe).
EFFNET_API const std::vector<Variant>& family();
EFFNET_API const Variant* find_variant(std::string_view name);  // null if the name is unknown
// Throws Error(input) with the nearest name. `expected`: what the caller accepts, for the message.
EFFNET_API const Variant& variant(std::string_view name, std::string_view expected = "a name from 'effnet models'");
// Parses one family file. Throws Error(input) with SOURCE:LINE:COLUMN.
EFFNET_API std::vector<Variant> parse_family(std::string_view text, std::string_view source);

}  // namespace effnet::arch
