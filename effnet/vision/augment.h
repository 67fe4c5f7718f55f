// The kinds of augmentation by name.
#pragma once

#include "effnet/base/names.h"

namespace effnet::vision {

// `none` and `flip` use the evaluation crop, the other kinds a random crop. All kinds except `none` flip half of the
// images. `autoaugment` and `randaugment` add their operations to `inception`. The order of the enumerators matters,
// because kinds are compared with < and >=.
enum class Augment { none, flip, inception, autoaugment, randaugment };
inline constexpr NameTable<Augment, 5> kAugments{{
    {Augment::none, "none"},
    {Augment::flip, "flip"},
    {Augment::inception, "inception"},
    {Augment::autoaugment, "autoaugment"},
    {Augment::randaugment, "randaugment"},
}};

}  // namespace effnet::vision
