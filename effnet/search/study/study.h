// A study: the trials of a search in one SQLite file, which any number of worker processes share.
//
// Trials belong to generations. Generation g is planned from the results of the generations before it only. So the
// trials do not depend on the number of workers, or on which trial ends first. One worker adds a generation, in one
// transaction; the others then find it.
//
// A worker claims a trial, repeats its heartbeat while it evaluates it, and finishes it. If the last heartbeat of a
// running trial is too old, another worker may claim the trial. Only the worker that holds a trial can finish it: if
// the first worker is alive after all, its result is dropped. So no trial is lost, and none is counted twice.
//
// Times are seconds since 1970 and come in as arguments.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/names.h"
#include "effnet/search/study/sqlite.h"

namespace effnet::search {

enum class TrialState { waiting, running, done, failed };
inline constexpr NameTable<TrialState, 4> kTrialStates{{{TrialState::waiting, "waiting"},
                                                        {TrialState::running, "running"},
                                                        {TrialState::done, "done"},
                                                        {TrialState::failed, "failed"}}};

struct NewTrial {
  std::string candidate = {};  // what is evaluated, as the search writes it
  std::uint64_t seed = 0;      // of the evaluation
  double budget = 0;           // how much the evaluation may cost, in the evaluator's unit, for example epochs
  friend bool operator==(const NewTrial&, const NewTrial&) = default;
};

struct Trial {
  std::int64_t id = 0;  // from 1, in the order in which trials were added
  std::int64_t generation = 0;
  NewTrial what = {};
  TrialState state = TrialState::waiting;
  int attempts = 0;         // how often it was claimed
  std::string worker = {};  // that holds or held it
  double started_s = 0, ended_s = 0;
  double score = 0;          // of a trial that is done; higher is better
  std::string details = {};  // JSON of the evaluator; of a failed trial the error
};

struct ClaimOptions {
  double timeout_s = 120;  // a running trial without a heartbeat for this time is claimed again
  int most_attempts = 10;  // a trial that was claimed this often without an end has failed
};

class Study {
 public:
  static constexpr std::int64_t kVersion = 1;

  // Makes a new study. `kind`: the search that it belongs to, such as "scale". `settings`: the search's settings, which
  // every worker reads. Throws Error(usage) if the file exists, Error(environment) if it cannot be written.
  static void create(const std::filesystem::path& file, std::string_view kind, std::string_view settings);

  // Throws Error(input) if the file is no study, or one of another version or kind, and Error(environment) if it cannot
  // be opened for writing.
  Study(const std::filesystem::path& file, std::string_view kind);

  const std::string& settings() const { return settings_; }
  const std::filesystem::path& file() const { return database_.file(); }

  std::vector<Trial> trials();  // by id, read in one transaction

  // Adds generation `generation` if the study has `generation` generations (they count from 0). Returns false if
  // another worker has added it. Requires at least one trial.
  bool add_generation(std::int64_t generation, std::span<const NewTrial> trials);
  std::int64_t generations();

  // Returns the next trial for this worker: the first one that waits or whose worker has died. Marks trials without an
  // end after the last attempt as failed. Empty if there is none now.
  std::optional<Trial> claim(std::string_view worker, double now_s, const ClaimOptions& options = {});
  // These three return false, and change nothing, if the worker does not hold the trial any more.
  bool beat(std::int64_t id, std::string_view worker, double now_s);
  bool finish(std::int64_t id, std::string_view worker, double score, std::string_view details, double now_s);
  bool fail(std::int64_t id, std::string_view worker, std::string_view error, double now_s);
  // Gives the trial back, as if it had not been claimed: the worker was stopped.
  bool release(std::int64_t id, std::string_view worker);

  // Whether no trial waits or runs: the next generation can be planned.
  bool is_idle();

 private:
  Database database_;
  std::string settings_;
};

}  // namespace effnet::search
