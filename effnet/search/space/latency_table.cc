#include "effnet/search/space/latency_table.h"

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/space/network_parts.h"

namespace effnet::search {

double predict_ms(const LatencyTable& table, const arch::ArchSpec& spec) {
  double sum = 0;
  for (const std::string& part : parts_of(spec)) {
    const auto found = table.parts_ms.find(part);
    if (found == table.parts_ms.end()) {
      throw input_error("{}: its latency cannot be predicted (got {}, expected one of the {} parts of the table)",
                        one_line(spec.name), in_quotes(part), table.parts_ms.size())
          .with_hint(
              "the table is of another space or resolution; effnet search latency SPACE -o TABLE.json measures one");
    }
    sum += found->second;
  }
  return sum;
}

}  // namespace effnet::search
