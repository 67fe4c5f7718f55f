// Parses arbitrary bytes as a pickle. The result must be Error(input) or a value, in bounded memory. Reads the whole
// value.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "effnet/base/error.h"
#include "effnet/formats/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace effnet::formats;
  constexpr std::array<std::string_view, 3> kKnownGlobals{"collections.OrderedDict", "torch._utils._rebuild_tensor_v2",
                                                          "torch.FloatStorage"};
  try {
    const Pickle pickle = parse_pickle(std::as_bytes(std::span(data, size)), kKnownGlobals);
    std::size_t total = 0;
    for (const PickleValue& value : pickle.values) {
      for (const char byte : value.raw()) total += static_cast<unsigned char>(byte);
      for (const PickleIndex index : value.items()) total += static_cast<std::size_t>(pickle[index].kind());
      if (value.is(PickleKind::dict) && value.items().size() % 2 != 0) __builtin_trap();
    }
    if (pickle.consumed > size || pickle.root >= pickle.values.size()) __builtin_trap();
    (void)pickle.find(pickle[pickle.root], "state_dict");
    return total == static_cast<std::size_t>(-1) ? 1 : 0;
  } catch (const effnet::Error& error) {
    if (error.code() != effnet::ErrorCode::input) __builtin_trap();
  }
  return 0;
}
