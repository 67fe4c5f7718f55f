#include "effnet/base/names.h"

namespace effnet {

std::string nearest_hint(std::string_view name, const std::vector<std::string>& known, std::string otherwise) {
  const auto near = nearest(name, known);
  return near ? fmt::format("did you mean {}?", *near) : otherwise;
}

Error unknown_name(ErrorCode code, std::string_view what, std::string_view name, const std::vector<std::string>& known,
                   std::string otherwise) {
  return Error(code, fmt::format("{} (got {}, expected {})", what, in_quotes(name), one_of(known)),
               nearest_hint(name, known, std::move(otherwise)));
}

}  // namespace effnet
