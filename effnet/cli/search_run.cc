#include "effnet/cli/search_run.h"

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_text.h"
#include "effnet/cli/worker_processes.h"

namespace effnet::cli {
namespace {

using search::NasSearch;
using search::Study;

// The search of the study; empty if there is no study at this place.
std::optional<NasSearch> find_search(const std::string& study) {
  if (!Study::exists(study)) return std::nullopt;
  return stored_search(Study(study, search::kNasStudy, {}, search::Access::read));
}

// Whether nothing is left to do. Needs no permission to write. Throws Error(usage) if `search` has other settings than
// the study.
bool is_complete(const std::string& study, const NasSearch& search) {
  Study open(study, search::kNasStudy, {}, search::Access::read);
  check_same(search, stored_search(open), open.name());
  return search::result_of(search, stored_trials(open, search)).complete;
}

// Gives the networks of a new search the number of classes of its images, for which they are trained, as a training
// does. So costs and exported networks count it too, and the default target, the cost of the base.
void take_classes(std::int64_t classes, bool default_target, NasSearch& search, Output& out) {
  std::int64_t& own = search.space.base.classes;
  if (search.latency) {
    throw input_error("{}: the images have another number of classes than the measured networks (got {}, expected {})",
                      search.space.name, classes, own)
        .with_hint(
            fmt::format("write classes = {} into the file of the space, and measure its latency table again", classes));
  }
  out.say(fmt::format("the networks have {}, as the images, instead of the {} of the space", count_of(classes, "class"),
                      own));
  own = classes;
  if (default_target) search.objective.target = search::cost_of(search, search.space.base);
}

// Makes the study after all checks. Returns the evaluator, which throws if its data, its supernet or its device are
// missing. Making it takes as long as opening the images, so the caller uses it too. Changes the classes of `search` to
// those of the images.
std::unique_ptr<search::Evaluator> make_study(const SearchRunOptions& o, NasSearch& search,
                                              const SearchProgram& program, search::EvaluatorPlace place, Output& out) {
  const std::string& study = o.worker.study;
  search::check(search);
  const auto make = [&] {
    place.folder = runs_folder(study, search::settings_text(search));
    return program.make_evaluator(search.space, search.evaluator, place);
  };
  std::unique_ptr<search::Evaluator> evaluator = make();
  if (const std::int64_t classes = evaluator->classes(); classes != 0 && classes != search.space.base.classes) {
    take_classes(classes, o.settings.target.empty() && o.settings.points_of.empty(), search, out);
    search::check(search);
    evaluator = make();
  }
  for (const std::string& text : setting_warnings(o.settings, search)) out.warn(text);
  Study::create_if_missing(study, search::kNasStudy, search::settings_text(search));
  out.say(fmt::format("space {}; quality by {}, networks by {}", space_text(search.space), search.evaluator.name,
                      search.points.empty() ? search.controller : "another study"));
  return evaluator;
}

// Runs `search worker` in several processes, and shows how far they are: a line for each training as in one worker, a
// status line otherwise. Returns the first error of a worker.
std::optional<Error> run_worker_processes(const SearchRunOptions& o, const NasSearch& search, int threads, Study& study,
                                          Output& out) {
  WorkerCommand worker{.words = {"search", "worker", fmt::format("--timeout={}", o.worker.timeout_s)},
                       .operands = {o.worker.study}};
  if (!o.worker.device.empty()) worker.words.push_back(fmt::format("--device={}", o.worker.device));
  const bool training = is_training(search);
  std::optional<EndedTrials> ended;
  if (training) ended.emplace(study);
  const InterruptNotice notice = stopping_notice(out.quiet() || !training);
  std::optional<Error> failed = run_workers(worker, o.workers, threads, [&] {
    const search::TrialCounts counts = study.counts();
    if (ended) {
      ended->update([&](const search::Trial& trial) {
        report_end(search, study, trial, counts.done + counts.failed, o.workers, out);
      });
    }
    out.status(fmt::format("trials: {} done, {} failed, {} running, {} waiting", counts.done, counts.failed,
                           counts.running, counts.waiting));
  });
  out.status("");
  return failed;
}

// Shows the study. Returns the exit code, or throws if all of its trials have failed.
int show_ended(const std::string& study, const Globals& globals, Output& out) {
  show_report(search_report({.study = study}), globals, out);
  Study shown(study, search::kNasStudy, {}, search::Access::read);
  check_any_done(shown);
  return 0;
}

}  // namespace

void declare_options(CLI::App& command, SearchRunOptions& o) {
  command
      .add_option("STUDY", o.worker.study,
                  "Keep all trials here: an SQLite file, or the URL of a PostgreSQL database; a search that is there "
                  "continues")
      ->required();
  declare_options(command, o.settings);
  add_number(
      command, "--workers", o.workers, 0, 256,
      "Run N processes on the study; 0 only makes it. effnet search worker adds more, also on other machines [1]");
  declare_place_options(command, o.worker);
}

Body declare_search_run(CLI::App& command, const Globals& globals, const SearchProgram& program) {
  auto o = std::make_shared<SearchRunOptions>();
  declare_options(command, *o);
  return [o, program, &globals](Output& out) {
    const std::optional<NasSearch> stored = find_search(o->worker.study);
    exec_for_evaluator(program, evaluator_of(o->settings, stored), globals);
    static_cast<void>(worker_options(o->worker.timeout_s));  // throws for a wrong --timeout
    NasSearch search = asked_search(o->settings, stored);
    search::EvaluatorPlace place{
        .folder = {}, .device = device_of(o->worker.device, search.evaluator.name), .threads = thread_count(globals)};
    if (stored && is_complete(o->worker.study, search)) return show_ended(o->worker.study, globals, out);
    std::unique_ptr<search::Evaluator> evaluator;
    if (!stored) evaluator = make_study(*o, search, program, place, out);
    Study study(o->worker.study, search::kNasStudy);
    check_same(search, stored_search(study), study.name());
    if (o->workers != 1) evaluator.reset();  // the workers have their own
    std::optional<Error> failed;
    if (o->workers > 0) {
      check_files(search, study.name());
      if (o->workers > 1) {
        failed = run_worker_processes(*o, search, place.threads, study, out);
      } else {
        place.folder = runs_folder(o->worker.study, study.settings());
        if (!evaluator) evaluator = program.make_evaluator(search.space, search.evaluator, place);
        evaluate_trials(o->worker, search, study, *evaluator, out);
      }
    }
    check_ended(failed, search::result_of(search, stored_trials(study, search)).complete, out);
    return show_ended(o->worker.study, globals, out);
  };
}

}  // namespace effnet::cli
