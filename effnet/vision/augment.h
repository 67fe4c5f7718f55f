// The kinds of augmentation by name.
#pragma once

#include "effnet/base/names.h"

namespace effnet::vision {

// `none` and `flip` use the evaluation crop, the others a random crop. Each kind includes the previous ones.
enum class Augment { none, flip, inception, autoaugment, randaugment };
inline constexpr NameTable<Augment, 5> kAugments{{
    {Augment::none, "none"},
    {Augment::flip, "flip"},
    {Augment::inception, "inception"},
    {Augment::autoaugment, "autoaugment"},
    {Augment::randaugment, "randaugment"},
}};

}  // namespace effnet::vision
