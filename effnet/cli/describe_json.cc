#include "effnet/cli/describe_json.h"

#include <array>
#include <charconv>

#include "effnet/base/text.h"
#include "effnet/report/table.h"

namespace effnet::cli {

double shortest(float value) {
  std::array<char, 32> buffer{};
  const auto [end, code] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  double result = 0;
  std::from_chars(buffer.data(), end, result);
  return result;
}

Json to_json(Size size) { return size.h == size.w ? Json(size.h) : Json::array({size.h, size.w}); }

Json to_json(const Preprocessing& p) {
  return {{"resolution", to_json(p.crop)},
          {"resize", to_json(p.resize)},
          {"crop", to_json(p.crop)},
          {"order", name(p.order)},
          {"filter", name(p.filter)},
          {"mean", p.mean},
          {"std", p.std},
          {"rule", p.rule}};
}

Json stages_json(const graph::Graph& graph) {
  Json stages = Json::array();
  for (const graph::Stage& stage : graph.stages) {
    stages.push_back(
        {{"channels", stage.channels}, {"repeats", stage.repeats}, {"resolution", to_json(stage.resolution)}});
  }
  return stages;
}

std::string stages_table(const graph::Graph& graph) {
  report::Table table({{"stage"}, {"channels"}, {"repeats"}, {"output"}});
  for (std::size_t i = 0; i < graph.stages.size(); ++i) {
    const graph::Stage& stage = graph.stages[i];
    table.row({std::to_string(i + 1), std::to_string(stage.channels), std::to_string(stage.repeats),
               to_string(stage.resolution)});
  }
  return table.text();
}

}  // namespace effnet::cli
