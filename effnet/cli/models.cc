#include "effnet/cli/models.h"

#include <fnmatch.h>

#include "effnet/arch/family.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {

void declare_options(CLI::App& command, ModelsOptions& options) {
  command.add_option("PATTERN", options.pattern, "Part of the name, or a wildcard such as '*lite*' [all names]");
}

ModelsResult run_models(const ModelsOptions& options) {
  ModelsResult result;
  const std::string& pattern = options.pattern;
  for (const arch::Variant& variant : arch::family()) {
    const bool wanted =
        variant.name.find(pattern) != std::string::npos || fnmatch(pattern.c_str(), variant.name.c_str(), 0) == 0;
    if (!wanted) continue;
    const graph::Costs costs = graph::costs(graph::lower(variant.spec));
    result.rows.push_back({variant.name, variant.spec.family, variant.spec.resolution, costs.params, costs.macs});
  }
  return result;
}

Json to_json(const ModelsResult& result) {
  Json rows = Json::array();
  for (const ModelsResult::Row& row : result.rows) {
    rows.push_back({{"name", row.name},
                    {"family", row.family},
                    {"resolution", row.resolution},
                    {"params", row.params},
                    {"macs", row.macs}});
  }
  return rows;
}

std::string to_text(const ModelsResult& result) {
  if (result.rows.empty()) return "No network has such a name; effnet models lists all.\n";
  report::Table table(
      {{"name", report::Align::left}, {"family", report::Align::left}, {"resolution"}, {"parameters"}, {"MACs"}});
  for (const ModelsResult::Row& row : result.rows)
    table.row({row.name, row.family, std::to_string(row.resolution), grouped(row.params), grouped(row.macs)});
  return table.text();
}

Body declare_models(CLI::App& command, const Globals& globals) { return bind(command, globals, run_models); }

}  // namespace effnet::cli
