// Any bytes give a latency table, which reads back from its text, or throw Error(input).
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/search/space/latency_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  try {
    const search::LatencyTable table = search::parse_latency_table({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (search::parse_latency_table(search::to_text(table), "fuzz") != table) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) std::abort();
  }
  return 0;
}
