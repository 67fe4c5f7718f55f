// Any bytes as the state of a controller give points of the space, or Error(input).
#include "effnet/search/control/state.h"

#include <cstdint>
#include <cstdlib>

#include "effnet/base/error.h"
#include "effnet/search/control/draw_points.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet;
  using namespace effnet::search;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Space space = parse_space(
      "name = 'fuzz'\n"
      "base = 'efficientnet_b0'\n"
      "[[stages]]\n"
      "stage = 2\n"
      "kernel = [3, 5]\n"
      "expand = [3, 6]\n",
      "fuzz");
  ControllerOptions options;
  options.hidden = 1;
  for (const ControllerKind& kind : controller_kinds()) {
    try {
      const Proposal proposal = kind.make(space, options)->next(1, text, {}, 2);
      if (proposal.points.size() != 2) std::abort();
      for (const Point& point : proposal.points) {
        if (!is_point(space, point)) std::abort();
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) std::abort();
    }
  }
  return 0;
}
