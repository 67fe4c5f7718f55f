#include "effnet/primitives/activation.h"

#include "effnet/base/error.h"

namespace effnet::primitives {

using kernels::Epilogue;

EpilogueParams epilogue_params(arch::Activation activation) {
  switch (activation) {
    case arch::Activation::none:
      return {};
    case arch::Activation::relu:
      return {.epilogue = Epilogue::clamp, .low = 0};
    case arch::Activation::relu6:
      return {Epilogue::clamp, 0, 6};
    case arch::Activation::silu:
      return {Epilogue::silu, 0, 0};
    case arch::Activation::hard_swish:
      return {Epilogue::hard_swish, 0, 0};
    case arch::Activation::sigmoid:
      break;
  }
  throw internal_error("sigmoid is not an epilogue");
}

}  // namespace effnet::primitives
