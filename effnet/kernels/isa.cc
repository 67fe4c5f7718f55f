#include "effnet/kernels/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::kernels {
namespace {

constexpr std::array<std::string_view, kIsas> kNames{"portable", "avx2", "avx512", "neon"};

struct Known {
  std::string_view name;
  Isa isa;         // whose kernels run
  bool (*here)();  // whether this CPU has it
};

bool always() { return true; }
#if defined(__x86_64__)
bool never() { return false; }
// The compiler's functions ask the CPU (CPUID) and the operating system (XGETBV: does it save the wide registers?).
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
bool has_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
constexpr auto has_neon = never;
#else
bool never() { return false; }
constexpr auto has_avx2 = never, has_avx512 = never, has_vnni = never, has_bf16 = never;
#if defined(__aarch64__)
constexpr auto has_neon = always;  // every 64-bit ARM CPU has it
#else
constexpr auto has_neon = never;
#endif
#endif

// Plainest first, by set.
constexpr Known kKnown[] = {
    {"portable", Isa::portable, always},    {"avx2", Isa::avx2, has_avx2},          {"avx512", Isa::avx512, has_avx512},
    {"avx512_vnni", Isa::avx512, has_vnni}, {"avx512_bf16", Isa::avx512, has_bf16}, {"neon", Isa::neon, has_neon},
};

const Known* find(std::string_view text) {
  const Known* const found =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) { return known.name == text; });
  return found == std::end(kKnown) ? nullptr : found;
}

// `where` names what asked: "EFFNET_ISA: " or nothing.
Isa checked(std::string_view text, std::string_view where) {
  const Known* const known = find(text);
  if (known != nullptr && known->here()) return known->isa;
  throw environment_error("{}{} (got {}, expected {})", where,
                          known != nullptr ? "this CPU lacks the instruction set" : "unknown instruction set",
                          in_quotes(text), one_of(instruction_sets()));
}

}  // namespace

std::string_view name(Isa isa) {
  EFFNET_CHECK(static_cast<std::size_t>(isa) < kIsas);
  return kNames[static_cast<std::size_t>(isa)];
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Known& known : kKnown) {
    if (known.here()) names.emplace_back(known.name);
  }
  return names;
}

std::vector<Isa> usable_sets() {
  std::vector<Isa> sets;
  for (const Known& known : kKnown) {
    if (known.here() && (sets.empty() || sets.back() != known.isa)) sets.push_back(known.isa);
  }
  return sets;
}

void require(Isa isa) { checked(name(isa), {}); }

Isa chosen_isa() {
  const char* const forced = std::getenv("EFFNET_ISA");
  return forced == nullptr || *forced == '\0' ? usable_sets().back() : checked(forced, "EFFNET_ISA: ");
}

Isa isa_of(std::string_view text) { return text.empty() ? chosen_isa() : checked(text, {}); }

}  // namespace effnet::kernels
