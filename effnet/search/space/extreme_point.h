// The cheapest and the most expensive network of a space.
#pragma once

#include "effnet/arch/scaling.h"
#include "effnet/search/space/space.h"

namespace effnet::search {

enum class Extreme { cheapest, most_expensive };

// The canonical point whose network has the lowest or the highest cost. Choices are changed one at a time as long as
// that helps. This finds the extreme if an option that is cheaper in one network is cheaper in all of them.
Point extreme_point(const Space& space, Extreme extreme, const arch::Cost& cost);

}  // namespace effnet::search
