#include "effnet/cli/inspect.h"

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/describe_json.h"
#include "effnet/cli/load.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

struct Window {
  std::int64_t kernel = 0, stride = 0, groups = 0;  // 0: the op has no such value
};

Window window_of(const graph::Node& node) {
  if (const auto* conv = std::get_if<graph::Conv>(&node.op)) return {conv->kernel, conv->stride, conv->groups};
  if (const auto* pool = std::get_if<graph::Pool>(&node.op)) return {pool->kernel, pool->stride, 0};
  return {};
}

Json or_null(std::int64_t value) { return value == 0 ? Json() : Json(value); }
std::string or_blank(std::int64_t value) { return value == 0 ? "" : std::to_string(value); }

Chw input_of(const graph::Graph& graph, const graph::Node& node) {
  return node.inputs.empty() ? node.out : graph.in(node);
}

Json layers_json(const graph::Graph& graph) {
  Json layers = Json::array();
  for (const graph::Node& node : graph.nodes) {
    const graph::NodeCosts costs = graph::costs(graph, node);
    const Window window = window_of(node);
    const Chw in = input_of(graph, node);
    layers.push_back({{"name", node.name},
                      {"op", graph::op_name(node.op)},
                      {"kernel", or_null(window.kernel)},
                      {"stride", or_null(window.stride)},
                      {"groups", or_null(window.groups)},
                      {"in", {in.c, in.h, in.w}},
                      {"out", {node.out.c, node.out.h, node.out.w}},
                      {"params", costs.params},
                      {"macs", costs.macs}});
  }
  return layers;
}

std::string layers_table(const graph::Graph& graph) {
  report::Table table({{"layer", report::Align::left},
                       {"op", report::Align::left},
                       {"k"},
                       {"s"},
                       {"groups"},
                       {"in"},
                       {"out"},
                       {"parameters"},
                       {"MACs"}});
  const auto shape = [](const Chw& s) { return fmt::format("{}x{}x{}", s.c, s.h, s.w); };
  for (const graph::Node& node : graph.nodes) {
    const graph::NodeCosts costs = graph::costs(graph, node);
    const Window window = window_of(node);
    table.row({node.name, std::string(graph::op_name(node.op)), or_blank(window.kernel), or_blank(window.stride),
               or_blank(window.groups), shape(input_of(graph, node)), shape(node.out), grouped(costs.params),
               grouped(costs.macs)});
  }
  return table.text();
}

Size input_size(const InspectResult& result) { return {result.graph.input().h, result.graph.input().w}; }

}  // namespace

void declare_options(CLI::App& command, InspectOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("--resolution", options.resolution, "Use this input size: pixels, or HxW [the model's]")
      ->type_name("R");
  add_number(command, "--classes", options.classes, 1, 1 << 20, "Use N classes in the last layer [the model's]");
  add_number(command, "--batch", options.batch, 1, 1 << 16, "Compute activation memory for N images [1]");
  command.add_flag("--layers", options.layers, "List every node of the graph");
}

InspectResult run_inspect(const InspectOptions& options) {
  const formats::ModelDescription model = formats::describe(formats::find_model(options.model));
  graph::LowerOptions lowering;
  InspectResult result{.name = model.arch.name,
                       .preprocessing = model.preprocessing,
                       .calibration = model.calibration,
                       .batch = options.batch,
                       .layers = options.layers};
  if (!options.resolution.empty()) {
    lowering.resolution = parse_resolution(options.resolution);
    result.preprocessing = result.preprocessing.at(*lowering.resolution);
  }
  if (options.classes > 0) lowering.classes = options.classes;
  result.graph = graph::lower(model.arch, lowering);
  result.costs = graph::costs(result.graph);
  result.memory = graph::activation_memory(result.graph, options.batch);
  return result;
}

Json to_json(const InspectResult& result) {
  const graph::Costs& costs = result.costs;
  Json document{
      {"name", result.name},
      {"resolution", to_json(input_size(result))},
      {"classes", result.graph.classes()},
      {"params", costs.params},
      {"params_without_classifier", costs.params_without_classifier},
      {"bn_statistics", costs.statistics},
      {"macs", costs.macs},
      {"weights_bytes", costs.weights_bytes()},
      {"activations", {{"largest_bytes", result.memory.largest_bytes}, {"peak_bytes", result.memory.peak_bytes}}},
      {"stages", stages_json(result.graph)},
      {"preprocessing", to_json(result.preprocessing)}};
  if (result.calibration)
    document["calibration"] = {{"temperature", result.calibration->temperature},
                               {"min_score", result.calibration->min_score}};
  if (result.layers) document["layers"] = layers_json(result.graph);
  return document;
}

std::string to_text(const InspectResult& result) {
  std::string text =
      fmt::format("{} at {} px, {} classes\n\n", result.name, to_string(input_size(result)), result.graph.classes());
  report::Table counts({{"", report::Align::left}, {"count"}, {"", report::Align::left}});
  const auto count = [&](const char* what, std::int64_t value, std::string note) {
    counts.row({what, grouped(value), std::move(note)});
  };
  const graph::Costs& costs = result.costs;
  count("parameters", costs.params, abbreviated(static_cast<double>(costs.params)));
  count("  without the classifier", costs.params_without_classifier, "");
  count("batch-norm statistics", costs.statistics, "");
  count("MACs per image", costs.macs, abbreviated(static_cast<double>(costs.macs)));
  count("weights in bytes", costs.weights_bytes(), "fp32");
  count("largest activation in bytes", result.memory.largest_bytes, fmt::format("batch {}", result.batch));
  count("peak of live activations in bytes", result.memory.peak_bytes, "");
  text += counts.text() + "\n" + stages_table(result.graph);
  if (result.calibration)
    text += fmt::format("\ncalibration: temperature {:.4g}, \"not sure\" below a score of {:.1f} %\n",
                        result.calibration->temperature, 100 * result.calibration->min_score);
  if (result.layers) text += "\n" + layers_table(result.graph);
  return text;
}

Body declare_inspect(CLI::App& command, const Globals& globals) { return bind(command, globals, run_inspect); }

}  // namespace effnet::cli
