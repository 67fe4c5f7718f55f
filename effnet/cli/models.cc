// effnet models [PATTERN]
#include <fnmatch.h>

#include "effnet/arch/family.h"
#include "effnet/base/text.h"
#include "effnet/cli/output.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {

Body declare_models(CLI::App& command, const Globals& globals) {
  auto pattern = std::make_shared<std::string>();
  command.add_option("PATTERN", *pattern, "Only names that contain this, or match it as a wildcard ('*lite*')");
  return [pattern, &globals] {
    Json rows = Json::array();
    report::Table table(
        {{"name", report::Align::left}, {"family", report::Align::left}, {"resolution"}, {"parameters"}, {"MACs"}});
    for (const arch::Variant& variant : arch::family()) {
      const bool wanted =
          variant.name.find(*pattern) != std::string::npos || fnmatch(pattern->c_str(), variant.name.c_str(), 0) == 0;
      if (!wanted) continue;
      const graph::Costs costs = graph::costs(graph::lower(variant.spec));
      rows.push_back({{"name", variant.name},
                      {"family", variant.spec.family},
                      {"resolution", variant.spec.resolution},
                      {"params", costs.params},
                      {"macs", costs.macs}});
      table.row({variant.name, variant.spec.family, std::to_string(variant.spec.resolution), grouped(costs.params),
                 grouped(costs.macs)});
    }
    if (globals.json) {
      print_json(rows);
    } else {
      print(table.text());
    }
    return 0;
  };
}

}  // namespace effnet::cli
