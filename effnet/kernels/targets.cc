// Three tables: the kernel tables of each target, the precisions, and the names of the instruction sets. A new one is a
// row.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/kernels/kernels.h"
#include "effnet/kernels/target.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels {

// Defined in simd/*.cc. They are constant-initialised, so no code of a set runs before the set is chosen.
namespace portable {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace portable
namespace avx2 {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace avx2
namespace avx512 {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace avx512
namespace neon {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace neon

namespace {

struct Tables {
  Target target;
  const KernelSet* kernels;
  const TrainingSet* training;
};
constexpr Tables kTables[] = {
    {{Isa::portable}, &portable::kKernels, &portable::kTraining},
#if defined(__x86_64__)
    {{Isa::avx2}, &avx2::kKernels, &avx2::kTraining},
    {{Isa::avx512}, &avx512::kKernels, &avx512::kTraining},
#elif defined(__aarch64__)
    {{Isa::neon}, &neon::kKernels, &neon::kTraining},
#endif
};

const Tables& tables_of(const Target& target) {
  const Tables* const found = std::find_if(std::begin(kTables), std::end(kTables),
                                           [&](const Tables& tables) { return tables.target == target; });
  if (found == std::end(kTables)) throw internal_error("this program has no kernels for {}", name(target));
  return *found;
}

struct PrecisionRow {
  Precision precision;
  std::string_view name;
  std::string_view prefix;  // first part of the kernels' names
};
constexpr PrecisionRow kPrecisions[] = {{Precision::fp32, "fp32", "f32"}};

const PrecisionRow& row_of(Precision precision) {
  const PrecisionRow* const found = std::find_if(std::begin(kPrecisions), std::end(kPrecisions),
                                                 [&](const PrecisionRow& row) { return row.precision == precision; });
  EFFNET_CHECK(found != std::end(kPrecisions));
  return *found;
}

struct InstructionSet {
  std::string_view name;
  Isa isa;                 // the set whose kernels run
  bool (*is_supported)();  // whether this CPU has the instructions
};

bool always() { return true; }
#if defined(__x86_64__)
bool never() { return false; }
// __builtin_cpu_supports asks the CPU whether it has the instructions (CPUID), and the operating system whether it
// saves the wide registers (XGETBV).
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

// Sorted by isa. The first row with an isa has the name of that isa.
constexpr InstructionSet kInstructionSets[] = {
    {"portable", Isa::portable, always},    {"avx2", Isa::avx2, has_avx2},          {"avx512", Isa::avx512, has_avx512},
    {"avx512_vnni", Isa::avx512, has_vnni}, {"avx512_bf16", Isa::avx512, has_bf16}, {"neon", Isa::neon, has_neon},
};

const InstructionSet* find(std::string_view text) {
  const InstructionSet* const found = std::find_if(std::begin(kInstructionSets), std::end(kInstructionSets),
                                                   [&](const InstructionSet& set) { return set.name == text; });
  return found == std::end(kInstructionSets) ? nullptr : found;
}

// `source` is the beginning of the error message: "EFFNET_ISA: ", or empty.
Isa checked(std::string_view text, std::string_view source) {
  const InstructionSet* const set = find(text);
  if (set != nullptr && set->is_supported()) return set->isa;
  throw environment_error("{}{} (got {}, expected {})", source,
                          set != nullptr ? "this CPU lacks the instruction set" : "unknown instruction set",
                          in_quotes(text), one_of(instruction_sets()));
}

}  // namespace

std::string_view name(Isa isa) {
  const InstructionSet* const found = std::find_if(std::begin(kInstructionSets), std::end(kInstructionSets),
                                                   [&](const InstructionSet& set) { return set.isa == isa; });
  EFFNET_CHECK(found != std::end(kInstructionSets));
  return found->name;
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const InstructionSet& set : kInstructionSets) {
    if (set.is_supported()) names.emplace_back(set.name);
  }
  return names;
}

std::vector<Isa> usable_sets() {
  std::vector<Isa> sets;
  for (const InstructionSet& set : kInstructionSets) {
    if (set.is_supported() && (sets.empty() || sets.back() != set.isa)) sets.push_back(set.isa);
  }
  return sets;
}

void require(Isa isa) { checked(name(isa), {}); }

Isa chosen_isa() {
  const char* const forced = std::getenv("EFFNET_ISA");
  return forced == nullptr || *forced == '\0' ? usable_sets().back() : checked(forced, "EFFNET_ISA: ");
}

Isa isa_of(std::string_view text) { return text.empty() ? chosen_isa() : checked(text, {}); }

const KernelSet& kernel_set(const Target& target) { return *tables_of(target).kernels; }
const TrainingSet& training_set(const Target& target) { return *tables_of(target).training; }

std::string_view name(Precision precision) { return row_of(precision).name; }

std::string name(const Target& target) { return fmt::format("{}_{}", name(target.isa), name(target.precision)); }

std::string kernel_name(const Target& target, std::string_view what) {
  return fmt::format("{}_{}_{}", row_of(target.precision).prefix, what, name(target.isa));
}

}  // namespace effnet::kernels
