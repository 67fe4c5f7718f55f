#include "effnet/cli/search_worker.h"

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/cli/search_settings.h"
#include "effnet/cli/search_text.h"
#include "effnet/cli/worker_processes.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;
using search::NasSearch;
using search::Trial;

constexpr std::size_t kDigestDigits = 12;

}  // namespace

bool is_training(const NasSearch& search) { return !search::evaluator_facts(search.evaluator.name).unit.empty(); }

void report_end(const NasSearch& search, search::Study& study, const Trial& trial, std::int64_t ended, int workers,
                Output& out) {
  if (trial.state != search::TrialState::done) {
    out.warn(fmt::format("trial {} failed: {} ({})", trial.id, trial.details, trial.what.candidate));
  } else if (is_training(search)) {
    const search::TrialNumbers numbers = search::numbers_of(trial);
    const std::string line = fmt::format("trial {} ({}): {}, {}, reward {:.4f}: {}", trial.id,
                                         number_of(trial.what.budget, "epoch"), quality_text(search, numbers.quality),
                                         cost_text(search, numbers.cost), trial.score, trial.what.candidate);
    out.say(line + left_text(search::seconds_left(search, study.trials(), workers)));
  } else {
    out.status(fmt::format("{} trials done; trial {}: reward {:.4f}", ended, trial.id, trial.score));
  }
}

void declare_place_options(CLI::App& command, SearchWorkerOptions& o) {
  command
      .add_option("--timeout", o.timeout_s,
                  "Repeat a trial whose worker has given no sign of life for S seconds: it was killed, or its machine "
                  "is off [120]")
      ->type_name("S");
  command.add_option("--device", o.device, "proxy, supernet: compute on this device: auto, cpu or cuda [auto]")
      ->type_name("D");
}

fs::path runs_folder(const std::string& where, std::string_view settings) {
  return search::Study::runs_folder(where) / sha256(std::as_bytes(std::span(settings))).substr(0, kDigestDigits);
}

void remove_empty_runs_folder(const std::string& where, std::string_view settings) {
  std::error_code ignored;
  fs::remove(runs_folder(where, settings), ignored);
  fs::remove(search::Study::runs_folder(where), ignored);
}

search::WorkerResult evaluate_trials(const SearchWorkerOptions& o, const NasSearch& search, search::Study& study,
                                     search::Evaluator& evaluator, Output& out) {
  search::WorkerOptions options = worker_options(o.timeout_s);
  options.most_trials = o.trials;
  std::int64_t ended = 0;
  options.ended = [&](const Trial& trial) {
    evaluator.remove_files(trial);
    if (out.quiet()) return;  // several workers of one command
    const auto others = static_cast<int>(study.counts().running);
    report_end(search, study, trial, ++ended, others + 1, out);
  };
  const InterruptNotice notice = stopping_notice(out.quiet() || !is_training(search));
  const search::WorkerResult result = search::work(study, search::kNasStudy, search::plan_of(search),
                                                   search::evaluate_with(search, evaluator), options);
  out.status("");
  remove_empty_runs_folder(o.study, study.settings());
  return result;
}

Json to_json(const SearchWorkerReport& report) {
  return {{"done", report.result.done},
          {"failed", report.result.failed},
          {"lost", report.result.lost},
          {"complete", report.complete}};
}

std::string to_text(const SearchWorkerReport& report) {
  const search::WorkerResult& result = report.result;
  std::string text = fmt::format("this worker: {} done, {} failed", count_of(result.done, "trial"), result.failed);
  if (result.lost > 0) text += fmt::format(", {} taken over by other workers", result.lost);
  return text + (report.complete ? "; the search has ended\n" : "\n");
}

Body declare_search_worker(CLI::App& command, const Globals& globals, const SearchProgram& program) {
  auto o = std::make_shared<SearchWorkerOptions>();
  command.add_option("STUDY", o->study, kStudyHelp)->required();
  add_number(command, "--trials", o->trials, 1, 1'000'000, "End after N trials [when the search has ended]");
  declare_place_options(command, *o);
  return [o, program, &globals](Output& out) {
    SearchWorkerReport report;
    search::Study study(o->study, search::kNasStudy);
    const NasSearch search = stored_search(study);
    exec_for_evaluator(program, search.evaluator.name, globals);
    const std::string device = device_of(o->device, search.evaluator.name);
    check_files(search, study.name());
    static_cast<void>(stored_trials(study, search));  // throws for a damaged study, which could not be completed
    const auto evaluator = program.make_evaluator(
        search.space, search.evaluator,
        {.folder = runs_folder(o->study, study.settings()), .device = device, .threads = thread_count(globals)});
    report.result = evaluate_trials(*o, search, study, *evaluator, out);
    report.complete = search::result_of(search, stored_trials(study, search)).complete;
    show(report, globals, out);
    return 0;
  };
}

}  // namespace effnet::cli
