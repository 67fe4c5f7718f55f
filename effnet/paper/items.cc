#include "effnet/paper/items.h"

#include <algorithm>
#include <array>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::paper {
namespace {

constexpr std::array kEntries{
    Entry{"table1", table1, false}, Entry{"table2", table2, false}, Entry{"table3", table3, false},
    Entry{"table4", table4, false}, Entry{"table5", table5, false}, Entry{"table6", table6, false},
    Entry{"table7", table7, false}, Entry{"table8", table8, false}, Entry{"fig2", figure2, true},
    Entry{"fig3", figure3, true},   Entry{"fig4", figure4, true},   Entry{"fig7", figure7, false},
    Entry{"fig8", figure8, true},
};

}  // namespace

std::span<const Entry> entries() { return kEntries; }

std::vector<std::string> ids() {
  std::vector<std::string> every;
  every.reserve(kEntries.size() + 1);
  for (const Entry& one : kEntries) every.emplace_back(one.id);
  every.emplace_back(kAll);
  return every;
}

const Entry& entry(std::string_view id) {
  const auto found = std::ranges::find(kEntries, id, &Entry::id);
  if (found == kEntries.end())
    throw unknown_name(ErrorCode::usage, "unknown table or figure of the paper", id, ids());
  return *found;
}

}  // namespace effnet::paper
