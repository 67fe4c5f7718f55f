#include "effnet/kernels/training.h"

#include <array>
#include <iterator>

#include "effnet/base/error.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {
namespace {

// By Isa.
constexpr void (*kFill[])(TrainingSet&) = {
    fill_training_portable,
#if defined(__x86_64__)
    fill_training_avx2,
    fill_training_avx512,
#endif
};

}  // namespace

const TrainingSet& training_set(Isa isa) {
  static const auto sets = [] {
    std::array<TrainingSet, std::size(kFill)> all{};
    std::size_t i = 0;
    for (const auto fill : kFill) {
      all[i].isa = static_cast<Isa>(i);
      fill(all[i++]);
    }
    return all;
  }();
  EFFNET_CHECK(static_cast<std::size_t>(isa) < sets.size());
  return sets[static_cast<std::size_t>(isa)];
}

}  // namespace effnet::kernels
