#include "effnet/cli/search_export.h"

#include <algorithm>
#include <utility>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/search_settings.h"
#include "effnet/cli/search_text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::cli {
namespace {

using search::NasRow;
using search::NasSearch;

// The row of trial `id`, or the best row if `id` is 0.
NasRow chosen_row(const NasSearch& search, const std::vector<search::NasTrial>& trials, std::int64_t id,
                  const std::string& study) {
  if (id == 0) {
    const search::NasResult result = search::result_of(search, trials);
    if (result.best.empty())
      throw input_error("{}: no trial is done (got {} trials, expected a network to export)", study, trials.size());
    return result.best.front();
  }
  const auto found = std::ranges::find(trials, id, &search::Trial::id);
  if (found == trials.end()) throw usage_error("--trial: no such trial (got {}, expected 1 to {})", id, trials.size());
  if (found->state != search::TrialState::done)
    throw usage_error("--trial: not done (got trial {}, which is {}, expected a trial that is done)", id,
                      name_in(search::kTrialStates, found->state));
  return {.trial = id,
          .point = found->point,
          .budget = found->what.budget,
          .reward = found->score,
          .quality = found->numbers.quality,
          .cost = found->numbers.cost};
}

void check_options(const SearchExportOptions& o, const NasSearch& search) {
  if (o.out.empty() && o.weights.empty())
    throw usage_error("nothing to write (got neither -o nor --weights, expected -o FILE.toml)");
  check_arch_output("-o", o.out);
  check_no_stdout("--weights", o.weights);
  check_extension("--weights", o.weights, ".safetensors");
  check_two_files("-o", o.out, "--weights", o.weights);
  if (one_line(o.name) != o.name)
    throw usage_error("--name: not printable (got {}, expected UTF-8 without control characters)", in_quotes(o.name));
  if (!o.weights.empty() && search.evaluator.supernet.empty())
    throw usage_error("--weights: only for studies with the evaluator supernet (got {})", search.evaluator.name);
}

}  // namespace

void declare_options(CLI::App& command, SearchExportOptions& o) {
  command.add_option("STUDY", o.study, kStudyHelp)->required();
  add_number(command, "--trial", o.trial, 1, 1'000'000'000,
             "Export the network of trial N [the one with the highest reward]");
  command.add_option("--name", o.name, "Give the network this name [SPACE-trialN]")->type_name("NAME");
  add_output(command, "-o,--out", o.out, "Write the network as an arch file; - means stdout")->type_name("FILE.toml");
  add_output(command, "--weights", o.weights,
             "Write a model file with the weights of the study's supernet (needs effnet-train)")
      ->type_name("FILE.safetensors");
}

SearchExportResult run_search_export(const SearchExportOptions& o, const SearchProgram& program,
                                     const Globals& globals) {
  const bool to_stdout = is_stdout("-o", o.out, globals);
  search::Study study(o.study, search::kNasStudy, {}, search::Access::read);
  SearchExportResult result{.search = stored_search(study), .out = o.out, .weights = o.weights};
  check_options(o, result.search);
  check_not_input("--weights", o.weights, result.search.evaluator.supernet);
  if (!o.weights.empty()) {
    exec_for_evaluator(program, result.search.evaluator.name, globals);
    check_files(result.search, study.name());
  }
  result.row = chosen_row(result.search, stored_trials(study, result.search), o.trial, study.name());
  result.spec = search::network_of(result.search.space, result.row.point);
  result.spec.name = o.name.empty() ? fmt::format("{}-trial{}", result.search.space.name, result.row.trial) : o.name;
  if (!o.weights.empty())
    program.write_weights(result.search, result.row.point, result.spec.name, thread_count(globals), o.weights);
  if (!o.out.empty() && !to_stdout) write_text(o.out, arch::print(result.spec));
  return result;
}

Json to_json(const SearchExportResult& result) {
  const graph::Costs costs = graph::costs(graph::lower(result.spec));
  Json json{{"name", result.spec.name},
            {"trial", result.row.trial},
            {"candidate", search::to_text(result.search.space, result.row.point)},
            {"reward", result.row.reward},
            {"quality", result.row.quality},
            {"cost", result.row.cost},
            {"params", costs.params},
            {"macs", costs.macs},
            {"arch", arch::print(result.spec)}};
  if (!result.out.empty()) json["path"] = result.out;
  if (!result.weights.empty()) json["weights_path"] = result.weights;
  return json;
}

std::string to_text(const SearchExportResult& result) {
  if (result.out == "-") return arch::print(result.spec);
  std::string text =
      fmt::format("{}: {}, {}, reward {:.4f}: {}\n", result.spec.name, quality_text(result.search, result.row.quality),
                  cost_text(result.search, result.row.cost), result.row.reward,
                  search::to_text(result.search.space, result.row.point));
  if (!result.out.empty())
    text += fmt::format("written to {}; try: effnet inspect {}\n", result.out, path_in_shell(result.out));
  if (!result.weights.empty())
    text += fmt::format("weights written to {}; try: effnet predict {} IMAGE\n", result.weights,
                        path_in_shell(result.weights));
  return text;
}

Body declare_search_export(CLI::App& command, const Globals& globals, const SearchProgram& program) {
  auto o = std::make_shared<SearchExportOptions>();
  declare_options(command, *o);
  return [o, program, &globals](Output& out) {
    show(run_search_export(*o, program, globals), globals, out);
    return 0;
  };
}

}  // namespace effnet::cli
