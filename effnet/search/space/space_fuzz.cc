// Fuzzes spaces and points. The bytes up to the first NUL are the file of a space; those after it are the text of a
// point. If the file parses, the printed space must parse to the same space, and if the point parses, its text must be
// the same, and its canonical point must be canonical and describe a valid network.
#include <cstdint>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/search/space/space.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find('\0');
  const std::string_view text = end == std::string_view::npos ? "" : bytes.substr(end + 1);
  try {
    const search::Space space = search::parse_space(bytes.substr(0, end), "fuzz.toml");
    EFFNET_CHECK(search::parse_space(search::print(space), "printed.toml") == space);
    const search::Point first = search::canonical(space, search::Point(space.choices.size(), 0));
    EFFNET_CHECK(search::find_point(space, search::network_of(space, first)) == first);
    const search::Point point = search::parse_point(space, text);
    EFFNET_CHECK(search::to_text(space, point) == text);
    const search::Point one = search::canonical(space, point);
    EFFNET_CHECK(search::canonical(space, one) == one);
    arch::check(search::network_of(space, point));
    Draws draws({.seed = size}, "fuzz");
    search::mutate(space, one, draws);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) __builtin_trap();
  }
  return 0;
}
