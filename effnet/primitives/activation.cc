#include "effnet/primitives/activation.h"

#include <limits>

#include "effnet/base/error.h"

namespace effnet::primitives {

using kernels::Epilogue;

EpilogueParams epilogue_params(arch::Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case arch::Activation::none:
      return {Epilogue::clamp, -kInfinity, kInfinity};
    case arch::Activation::relu:
      return {Epilogue::clamp, 0, kInfinity};
    case arch::Activation::relu6:
      return {Epilogue::clamp, 0, 6};
    case arch::Activation::silu:
      return {Epilogue::silu, 0, 0};
    case arch::Activation::hard_swish:
      return {Epilogue::hard_swish, 0, 0};
    case arch::Activation::sigmoid:
      break;
  }
  throw internal_error("a sigmoid is no epilogue");
}

}  // namespace effnet::primitives
