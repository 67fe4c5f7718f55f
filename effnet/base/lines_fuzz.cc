// Any bytes give lines and rows of bounded size, or throw Error(input).
#include "effnet/base/lines.h"

#include <cstdint>
#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto guarded = [](const auto& work) {
    try {
      work();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) std::abort();
    }
  };
  guarded([&] {
    for (const std::string_view line : text_lines(text, "t")) {
      if (!is_utf8(line) || line.find('\n') != std::string_view::npos || line.ends_with(' ')) std::abort();
    }
  });
  for (const CsvRows::From from : {CsvRows::From::effnet, CsvRows::From::people}) {
    guarded([&] {
      CsvRows rows(text, "t", from);
      std::size_t bytes = 0;
      while (rows.next()) {
        if (rows.fields().empty() || rows.line() < 1) std::abort();
        for (const std::string& field : rows.fields()) bytes += field.size();
      }
      if (bytes > size) std::abort();
    });
  }
  return 0;
}
