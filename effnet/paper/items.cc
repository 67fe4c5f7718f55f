#include "effnet/paper/items.h"

#include <algorithm>
#include <array>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::paper {
namespace {

constexpr std::array kEntries{
    Entry{.id = "table1", .make = table1},
    Entry{.id = "table2", .make = table2, .measured = true},
    Entry{.id = "table3", .make = table3, .measured = true},
    Entry{.id = "table4", .make = table4, .timed = true},
    Entry{.id = "table5", .make = table5},
    Entry{.id = "table6", .make = table6},
    Entry{.id = "table7", .make = table7, .measured = true},
    Entry{.id = "table8", .make = table8, .measured = true},
    Entry{.id = "fig1", .make = figure1, .drawn = true, .measured = true},
    Entry{.id = "fig2", .make = figure2, .drawn = true},
    Entry{.id = "fig3", .make = figure3, .drawn = true, .measured = true},
    Entry{.id = "fig4", .make = figure4, .drawn = true},
    Entry{.id = "fig5", .make = figure5, .drawn = true, .measured = true},
    Entry{.id = "fig6", .make = figure6, .drawn = true},
    Entry{.id = "fig7",
          .make = figure7,
          .measured = true,
          .not_drawn = "the maps need trained weights and images: effnet paper fig7 lists the commands that train the "
                       "networks and draw the figure with effnet cam"},
    Entry{.id = "fig8", .make = figure8, .drawn = true, .measured = true},
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
  if (found == kEntries.end()) throw unknown_name(ErrorCode::usage, "unknown table or figure of the paper", id, ids());
  return *found;
}

}  // namespace effnet::paper
