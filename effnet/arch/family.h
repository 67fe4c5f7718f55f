// The named family: arch/*.toml at the root of the project, built into the binary. A file holds one ArchSpec and,
// optionally, [[variants]] that scale it; a new family is a new file and no other edit (docs/adding-a-model.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"

namespace effnet::arch {

struct Published {           // the paper's figures exactly as printed; empty where it gives none
  std::string params, macs;  // "5.3M", "0.39B"
};

struct Variant {
  std::string name;
  std::string base;  // the name that the file's own spec carries
  double width = 1;  // the published, hand-rounded coefficients; 1 for a base
  double depth = 1;
  std::int64_t resolution = 0;
  Published published;
  ArchSpec spec;  // scaled
};

// Every named network, in the order of `effnet models`. Parsed once, at first use (thread-safe).
EFFNET_API const std::vector<Variant>& family();
EFFNET_API const Variant* find_variant(std::string_view name);  // null if there is none
EFFNET_API const Variant& variant(std::string_view name);       // Error(input) with the nearest name
EFFNET_API std::vector<Variant> parse_family(std::string_view text, std::string_view source);

}  // namespace effnet::arch
