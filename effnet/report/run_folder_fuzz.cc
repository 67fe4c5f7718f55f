// Any bytes give rows or throw Error(input). Rows that are written and parsed again give the same text.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "effnet/base/error.h"
#include "effnet/report/run_findings.h"
#include "effnet/report/run_folder.h"

namespace {

std::string metrics_text(const std::vector<effnet::report::EpochMetrics>& rows) {
  std::string text(effnet::report::metrics_header());
  for (const auto& row : rows) text += effnet::report::metrics_line(row);
  return text;
}

std::string predictions_text(const std::vector<effnet::report::Prediction>& rows) {
  return effnet::report::predictions_text(rows);
}

template <class Parse, class Write>
void check(std::string_view text, Parse parse, Write write) {
  try {
    const std::string once = write(parse(text, "fuzz"));
    if (write(parse(once, "fuzz")) != once) std::abort();
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text, effnet::report::parse_metrics, metrics_text);
  check(text, effnet::report::parse_predictions, predictions_text);
  check(text, effnet::report::parse_label_errors, effnet::report::label_errors_text);
  check(text, effnet::report::parse_near_duplicates, effnet::report::near_duplicates_text);
  return 0;
}
