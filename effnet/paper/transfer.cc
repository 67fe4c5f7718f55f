// Tables 5 and 6: transfer learning and its data sets.
#include <fmt/format.h>

#include <cmath>

#include "effnet/arch/family.h"
#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

Table row_table() {
  Table table{.columns = {{"name", "", Source::label},
                          {"dataset", "data set", Source::label, Align::left},
                          {"compared_with", "compared with", Source::label, Align::left},
                          {"params", "params", Source::computed},
                          {"macs", "MACs", Source::computed},
                          {"paper.ours.name", "paper: ours", Source::quoted, Align::left},
                          {"paper.ours.accuracy", "paper: %", Source::quoted},
                          {"paper.ours.params", "paper: params", Source::quoted},
                          {"paper.other.name", "paper: other", Source::quoted, Align::left},
                          {"paper.other.accuracy", "paper: %", Source::quoted},
                          {"paper.other.params", "paper: params", Source::quoted},
                          {"paper.ratio", "paper: ratio", Source::quoted}},
              .rows = {}};
  for (const PrintedTransfer& row : printed_transfers()) {
    const graph::Costs costs = costs_of(arch::variant(row.network).spec, row.classes);
    table.rows.push_back({row.network, row.dataset, row.compared, costs.params_without_classifier, costs.macs,
                          value_of(row.ours.name), value_of(row.ours.accuracy), value_of(row.ours.params),
                          value_of(row.other.name), value_of(row.other.accuracy), value_of(row.other.params),
                          value_of(row.ratio)});
  }
  return table;
}

// The geometric means of the printed ratios.
Table mean_table() {
  Table table{.key = "means",
              .title = "Geometric mean of the ratios",
              .columns = {{"compared_with", "compared with", Source::label, Align::left},
                          {"ratio", "of the printed ratios", Source::computed, Align::right, 2, "x"},
                          {"paper.ratio", "paper", Source::quoted}},
              .rows = {}};
  for (const PrintedMean& mean : printed_means()) {
    double sum = 0;
    int count = 0;
    for (const PrintedTransfer& row : printed_transfers()) {
      if (row.ratio == nullptr || std::string_view(row.compared) != mean.compared) continue;
      sum += std::log(parse_printed(row.ratio).value);
      ++count;
    }
    table.rows.push_back({mean.compared, std::exp(sum / count), mean.ratio});
  }
  return table;
}

Table measured_transfers(const Results& results) {
  Table table{.key = "measured",
              .title = "Measured by effnet",
              .columns = {{"name", "backbone", Source::label, Align::left},
                          {"dataset", "data set", Source::label, Align::left},
                          {"params", "params", Source::computed},
                          {"accuracy", "measured: %", Source::measured},
                          {"metric", "metric", Source::label, Align::left},
                          {"images", "images", Source::measured},
                          {"date", "date", Source::label, Align::left},
                          {"page", "page", Source::label, Align::left},
                          {"note", "note", Source::label, Align::left}},
              .rows = {},
              .if_empty = "effnet has no measured results yet."};
  for (const MeasuredTransfer& one : results.transfer) {
    table.rows.push_back({one.backbone, one.dataset, one.params_without_classifier, one.accuracy_percent, one.metric,
                          one.images, one.date, one.page, note_of(one.note)});
  }
  return table;
}

}  // namespace

Item table5(const Context& context) {
  return {.id = "table5",
          .title = "Table 5: transfer learning",
          .about =
              "Networks that were trained on ImageNet and fine-tuned on eight data sets, compared with the best public "
              "model and with the best reported result. Parameters do not include the classifier. MACs are for the "
              "network's own resolution and the data set's classes.",
          .tables = {row_table(), mean_table(), measured_transfers(context.results)},
          .drawings = {},
          .notes = {}};
}

Item table6(const Context&) {
  Table table{.columns = {{"name", "data set", Source::label, Align::left},
                          {"paper.train", "paper: training images", Source::quoted},
                          {"paper.test", "paper: test images", Source::quoted},
                          {"paper.classes", "paper: classes", Source::quoted},
                          {"metric", "metric", Source::quoted, Align::left}},
              .rows = {}};
  for (const PrintedDataset& row : printed_datasets())
    table.rows.push_back({row.name, row.train, row.test, row.classes, row.metric});
  return {.id = "table6",
          .title = "Table 6: data sets of the transfer experiments",
          .about = "The sizes of the data sets of Table 5. The training images include the validation images.",
          .tables = {std::move(table)},
          .drawings = {},
          .notes = {"The paper does not name the metric. The column is quoted from the appendix of Chen et al. 2020 "
                    "(SimCLR), which uses the same protocol."}};
}

}  // namespace effnet::paper
