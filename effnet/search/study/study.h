// A study: the trials of a search in an SQLite file or on a PostgreSQL server, which any number of worker processes
// share.
//
// Trials belong to generations. Generation g is planned from the results of generation g - 1 and a state text only,
// which the plan of g - 1 has left. So the trials do not depend on the number of workers, or on which trial ends first.
// One worker adds a generation with its state, in one transaction; the others then find it.
//
// A worker claims a trial, repeats its heartbeat while it evaluates it, and finishes it. If the last heartbeat of a
// running trial is too old, another worker may claim the trial. Only the worker that holds a trial can finish it: if
// the first worker is alive after all, its result is dropped. So no trial is lost, and none is counted twice.
//
// Twins are trials with the same candidate, seed and budget. Only one of them is evaluated; the others wait for it and
// get its result. If it fails, the next one is evaluated.
//
// If the connection to a server is lost, each function connects again and repeats what it did, for a minute or so. All
// of them may be repeated: the same arguments give the same result.
//
// Times are seconds since 1970 and come in as arguments.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/names.h"
#include "effnet/search/study/database.h"

namespace effnet::search {

enum class TrialState { waiting, running, done, failed };
inline constexpr NameTable<TrialState, 4> kTrialStates{{{TrialState::waiting, "waiting"},
                                                        {TrialState::running, "running"},
                                                        {TrialState::done, "done"},
                                                        {TrialState::failed, "failed"}}};

struct NewTrial {
  std::string candidate = {};  // what is evaluated, as the search writes it; at most kLongestCandidate bytes
  std::uint64_t seed = 0;      // of the evaluation
  double budget = 0;           // how much the evaluation may cost, in the evaluator's unit, for example epochs
  friend bool operator==(const NewTrial&, const NewTrial&) = default;
};
inline constexpr std::size_t kLongestCandidate = 2000;  // PostgreSQL's limit for an entry of an index is 2,704 bytes

struct Trial {
  std::int64_t id = 0;  // from 1, in the order in which trials were added
  std::int64_t generation = 0;
  NewTrial what = {};
  TrialState state = TrialState::waiting;
  int attempts = 0;         // how often it was claimed; 0 for a twin that got its result
  std::string worker = {};  // that holds or held it
  double started_s = 0, ended_s = 0;
  double score = 0;          // of a trial that is done; higher is better
  std::string details = {};  // JSON of the evaluator; of a failed trial the error
  std::int64_t twin_of = 0;  // the trial whose result this one got; 0 if it was or will be evaluated itself
};

struct TrialCounts {
  std::int64_t waiting = 0, running = 0, done = 0, failed = 0;
  friend bool operator==(const TrialCounts&, const TrialCounts&) = default;
};

// What the plan of the next generation gets.
struct PlanInput {
  std::int64_t generation = 0;  // its number, from 0
  std::string state;            // that the plan of the generation before has left; empty for generation 0
  std::vector<Trial> last;      // the trials of the generation before, by id, all ended; none for generation 0
};

struct ClaimOptions {
  double timeout_s = 120;  // a running trial without a heartbeat for this time is claimed again
  int most_attempts = 10;  // a trial that was claimed this often without an end has failed
};

class Study {
 public:
  static constexpr std::int64_t kVersion = 2;

  // `where`: a file or a URL, see database.h. A database schema of a server has at most one study.
  static bool exists(const std::string& where);

  // Makes a new study, completely or not at all. `kind`: the search that it belongs to, such as "scale". `settings`:
  // the search's settings, which every worker reads. Throws Error(usage) if it exists, Error(environment) if it cannot
  // be written.
  static void create(const std::string& where, std::string_view kind, std::string_view settings);
  // As create(). If another process makes a study at this place meanwhile, it stays as it is: the caller opens it and
  // compares the settings.
  static void create_if_missing(const std::string& where, std::string_view kind, std::string_view settings);

  // Throws Error(input) if there is no study, a damaged one, or one of another version or kind, and Error(environment)
  // if it cannot be opened for this access. A study that is opened for reading cannot be changed.
  Study(const std::string& where, std::string_view kind, const WaitOptions& waiting = {},
        Access access = Access::write);
  Study(std::unique_ptr<Database> database, std::string_view kind);

  const std::string& settings() const { return settings_; }
  const std::string& where() const { return database_->where(); }  // as given; may contain a password
  const std::string& name() const { return database_->name(); }    // for messages; without a password
  // A folder for the files of trials in progress of the study at `where`: beside the file, with ".runs" after its name,
  // or for a server effnet-DIGEST.runs in the current folder. The study need not exist.
  static std::filesystem::path runs_folder(const std::string& where);

  // Both return the trials in the order of their ids. They throw Error(input) if an id is missing between two others:
  // that trial was deleted, and without it the search cannot end.
  std::vector<Trial> trials();
  std::vector<Trial> trials_of(std::int64_t generation);
  TrialCounts counts();
  std::int64_t generations();
  std::string state();                    // that add_generation() has stored last; empty if there is no generation
  std::optional<PlanInput> plan_input();  // empty while a trial waits or runs

  // Adds generation `generation` and the state if the study has `generation` generations (they count from 0). Returns
  // false if it exists already, because another worker has added it. Requires at least one trial.
  bool add_generation(std::int64_t generation, std::span<const NewTrial> trials, std::string_view state);

  // Returns the next trial for this worker: the first one whose worker has died, else the first one that waits and that
  // has no twin running. First ends waiting trials whose twin is done, and marks trials without an end after the last
  // attempt as failed. Empty if there is none now. Repeated with the same time, it returns the same trial again, as
  // long as the worker holds it.
  std::optional<Trial> claim(std::string_view worker, double now_s, const ClaimOptions& options = {});
  // These three return false, and change nothing, if the worker does not hold the trial any more. A finish or a failure
  // that is repeated with the same time returns true again. The error of a failed trial is stored on one line.
  bool beat(std::int64_t id, std::string_view worker, double now_s);
  bool finish(std::int64_t id, std::string_view worker, double score, std::string_view details, double now_s);
  bool fail(std::int64_t id, std::string_view worker, std::string_view error, double now_s);
  // Gives the trial back, as if it had not been claimed: the worker was stopped. Returns false if it does not hold it.
  bool release(std::int64_t id, std::string_view worker);

 private:
  std::unique_ptr<Database> database_;
  std::string settings_;
};

}  // namespace effnet::search
