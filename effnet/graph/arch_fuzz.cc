// Fuzzes arch files: if a text parses, the printed spec must parse to the same spec, and lowering must give a graph or
// throw Error(input).
#include <cstdint>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  try {
    const arch::ArchSpec spec = arch::parse({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
    EFFNET_CHECK(arch::parse(arch::print(spec), "printed.toml") == spec);
    std::int64_t blocks = 0;
    for (const arch::StageSpec& stage : spec.stages) blocks += stage.repeats;
    if (blocks > 100) return 0;  // limits the time: a graph grows with its number of blocks
    graph::activation_memory(graph::lower(spec));
    graph::costs(graph::lower(spec));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) __builtin_trap();
  }
  return 0;
}
