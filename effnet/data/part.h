// The parts of a dataset: the values of its splits train, val and test.
#pragma once

#include "effnet/base/names.h"

namespace effnet::data {

enum class Part { train, val, test };

// The first name of a part is the one that effnet writes. On disk and in lists, val may have other names.
inline constexpr NameTable<Part, 5> kPartNames{{{Part::train, "train"},
                                                {Part::val, "val"},
                                                {Part::val, "valid"},
                                                {Part::val, "validation"},
                                                {Part::test, "test"}}};
inline constexpr std::array kParts{Part::train, Part::val, Part::test};

}  // namespace effnet::data
