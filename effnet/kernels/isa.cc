#include "effnet/kernels/isa.h"

#include <algorithm>
#include <array>
#include <string>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::kernels {
namespace {

constexpr std::array<std::string_view, 3> kNames{"portable", "avx2", "avx512"};

// "avx512_vnni" and "avx512_bf16" allow what avx512 needs; their own kernels come with those precisions.
Isa set_of(std::string_view text) {
  for (std::size_t i = kNames.size(); i-- > 0;) {
    if (text.starts_with(kNames[i])) return static_cast<Isa>(i);
  }
  throw environment_error("unknown instruction set (got {}, expected {})", in_quotes(text),
                          one_of(std::vector<std::string>(kNames.begin(), kNames.end())));
}

}  // namespace

std::string_view name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

std::vector<Isa> usable_sets() {
  std::vector<Isa> sets;
  for (const std::string& here : instruction_sets()) {
    const Isa isa = set_of(here);
    if (sets.empty() || sets.back() != isa) sets.push_back(isa);
  }
  return sets;
}

Isa chosen_isa() {
  const std::string forced = forced_instruction_set();
  return forced.empty() ? usable_sets().back() : set_of(forced);
}

Isa isa_of(std::string_view text) {
  if (text.empty()) return chosen_isa();
  const std::vector<std::string> here = instruction_sets();
  if (std::find(here.begin(), here.end(), text) == here.end()) {
    throw environment_error("no such instruction set on this CPU (got {}, expected {})", in_quotes(text), one_of(here));
  }
  return set_of(text);
}

}  // namespace effnet::kernels
