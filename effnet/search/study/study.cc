#include "effnet/search/study/study.h"

#include <algorithm>
#include <array>

#include "effnet/base/digest.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::search {
namespace {

constexpr const char* kStudyTable = "effnet_study";
constexpr const char* kColumns =
    "id, generation, candidate, seed, budget, state, attempts, worker, started_s, ended_s, score, details, twin_of";

// The commands that make studies, by kind.
struct Maker {
  std::string_view kind, command, continues;  // `continues`: what stands before the study to continue it
  std::string_view shows;                     // how it is only shown
};
constexpr std::array<Maker, 2> kMakers{
    {{"nas", "effnet search", "effnet search run", "effnet search show shows it"},
     {"scale", "effnet scale search", "effnet scale search --study", "with --workers 0 it only shows it"}}};

// A study of the kind `found` was opened as one of `kind`.
Error other_kind(std::string_view study, std::string_view found, std::string_view kind) {
  const auto maker = [](std::string_view name) { return std::ranges::find(kMakers, name, &Maker::kind); };
  const auto text = [&](std::string_view name) {
    return maker(name) == kMakers.end() ? in_quotes(name) : fmt::format("one of {}", maker(name)->command);
  };
  const Error error =
      input_error("{}: a study of another search (got {}, expected {})", study, text(found), text(kind));
  if (maker(found) == kMakers.end()) return error;
  return error.with_hint(
      fmt::format("{} {} continues it; {}", maker(found)->continues, path_in_shell(study), maker(found)->shows));
}

// A database without the tables of a study. SQLite takes an empty file for an empty database.
Error no_study(const Database& database) {
  const bool server = is_server(database.where());
  std::error_code failed;
  const bool empty = !server && std::filesystem::file_size(database.where(), failed) == 0;
  return input_error("{}: not a study (got {}, expected one that effnet has made)", database.name(),
                     empty ? "an empty file" : "a database without trials")
      .with_hint(server ? fmt::format("effnet search run {} makes a study there", path_in_shell(database.name()))
                        : std::string("give the study another name"));
}

// `place`: the study, or a trial of it, for the message.
TrialState state_of(const std::string& text, const std::string& place) {
  try {
    return named_in(kTrialStates, text, "state");
  } catch (const Error& error) {
    throw error.in(place);
  }
}

Trial trial_of(const Row& row, const std::string& study) {
  return {
      .id = row.integer(0),
      .generation = row.integer(1),
      .what = {.candidate = row.text(2), .seed = static_cast<std::uint64_t>(row.integer(3)), .budget = row.number(4)},
      .state = state_of(row.text(5), fmt::format("{}: trial {}", study, row.integer(0))),
      .attempts = static_cast<int>(row.integer(6)),
      .worker = row.text(7),
      .started_s = row.number(8),
      .ended_s = row.number(9),
      .score = row.number(10),
      .details = row.text(11),
      .twin_of = row.integer(12)};
}

std::int64_t stored_seed(const NewTrial& what) { return static_cast<std::int64_t>(what.seed); }  // the same 64 bits

// Runs `body` in a transaction that may write; again from the beginning if the connection is lost.
template <class Body>
auto in_transaction(Database& database, Sync sync, const Body& body) -> decltype(body()) {
  return database.retry([&] {
    Transaction transaction(database, sync);
    auto result = body();
    transaction.commit();
    return result;
  });
}

std::string value_of(Database& database, std::string_view table, std::string_view key) {
  std::optional<std::string> value;
  database.run(fmt::format("SELECT value FROM {} WHERE key = $1", table), {std::string(key)},
               [&](const Row& row) { value = row.text(0); });
  if (!value) throw input_error("{}: not a study (got no {}, expected one that effnet has made)", database.name(), key);
  return *std::move(value);
}

std::vector<Trial> select_trials(Database& database, std::string_view condition, const std::vector<Value>& values) {
  const std::string sql = fmt::format("SELECT {} FROM effnet_trials t WHERE {} ORDER BY id", kColumns, condition);
  return database.retry([&] {
    std::vector<Trial> trials;
    database.run(sql, values, [&](const Row& row) { trials.push_back(trial_of(row, database.name())); });
    return trials;
  });
}

// Throws if the ids of `trials` do not count from `first`.
void check_ids(const std::vector<Trial>& trials, std::int64_t first, const std::string& study) {
  std::int64_t expected = first;
  for (const Trial& trial : trials) {
    if (trial.id != expected) {
      throw input_error("{}: a damaged study: a trial is missing (got trial {}, expected trial {})", study, trial.id,
                        expected)
          .with_hint(
              "the search cannot end without it: continue with a copy of the study from before, or make it again");
    }
    ++expected;
  }
}

std::optional<Trial> find_first(Database& database, std::string_view condition, const std::vector<Value>& values) {
  std::optional<Trial> trial;
  database.run(fmt::format("SELECT {} FROM effnet_trials t WHERE {} ORDER BY id LIMIT 1", kColumns, condition), values,
               [&](const Row& row) { trial = trial_of(row, database.name()); });
  return trial;
}

std::int64_t number_of_generations(Database& database) {
  std::int64_t count = 0;
  database.run("SELECT COALESCE(MAX(generation), -1) + 1 FROM effnet_trials", {},
               [&](const Row& row) { count = row.integer(0); });
  return count;
}

// Makes the tables of a new study.
void make_tables(Database& database, std::string_view kind, std::string_view settings) {
  if (database.has_table(kStudyTable)) {
    throw usage_error("{}: the study exists (expected a schema without a study)", database.name())
        .with_hint("a study is never overwritten: use another schema, or continue the study");
  }
  database.run("CREATE TABLE effnet_study (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  database.run(
      "CREATE TABLE effnet_trials (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, candidate TEXT NOT NULL, "
      "seed BIGINT NOT NULL, budget DOUBLE PRECISION NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', "
      "attempts INTEGER NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '', "
      "beat_s DOUBLE PRECISION NOT NULL DEFAULT 0, started_s DOUBLE PRECISION NOT NULL DEFAULT 0, "
      "ended_s DOUBLE PRECISION NOT NULL DEFAULT 0, score DOUBLE PRECISION NOT NULL DEFAULT 0, "
      "details TEXT NOT NULL DEFAULT '', twin_of INTEGER NOT NULL DEFAULT 0)");
  database.run("CREATE INDEX effnet_trials_by_state ON effnet_trials (state, id)");
  database.run("CREATE INDEX effnet_trials_by_generation ON effnet_trials (generation, id)");
  database.run("CREATE INDEX effnet_trials_twins ON effnet_trials (candidate, seed, budget, state)");
  const std::vector<std::pair<std::string, std::string>> rows{{"version", std::to_string(Study::kVersion)},
                                                              {"kind", std::string(kind)},
                                                              {"settings", std::string(settings)},
                                                              {"state", ""}};
  for (const auto& [key, value] : rows) database.run("INSERT INTO effnet_study VALUES ($1, $2)", {key, value});
}

// Adds trials in statements of up to kRows rows, because each statement costs a message to the server and back.
void insert_trials(Database& database, std::int64_t generation, std::span<const NewTrial> trials) {
  constexpr std::size_t kRows = 50, kValues = 5;
  std::int64_t id = 0;
  database.run("SELECT COALESCE(MAX(id), 0) FROM effnet_trials", {}, [&](const Row& row) { id = row.integer(0); });
  while (!trials.empty()) {
    const std::span<const NewTrial> some = trials.first(std::min(kRows, trials.size()));
    trials = trials.subspan(some.size());
    std::string sql = "INSERT INTO effnet_trials (id, generation, candidate, seed, budget) VALUES ";
    std::vector<Value> values;
    values.reserve(kValues * some.size());
    for (const NewTrial& one : some) {
      EFFNET_CHECK(one.candidate.size() <= kLongestCandidate);
      const std::size_t n = values.size();
      sql += fmt::format("{}(${}, ${}, ${}, ${}, ${})", n == 0 ? "" : ", ", n + 1, n + 2, n + 3, n + 4, n + 5);
      values.insert(values.end(), {++id, generation, one.candidate, stored_seed(one), one.budget});
    }
    database.run(sql, values);
  }
}

// Ends all waiting twins of a trial if one of them is done. Returns false if none is.
bool end_twins(Database& database, const NewTrial& what, double now_s) {
  const std::optional<Trial> done =
      find_first(database, "candidate = $1 AND seed = $2 AND budget = $3 AND state = 'done' AND twin_of = 0",
                 {what.candidate, stored_seed(what), what.budget});
  if (!done) return false;
  database.run(
      "UPDATE effnet_trials SET state = 'done', score = $1, details = $2, started_s = $3, ended_s = $4, twin_of = $5 "
      "WHERE candidate = $6 AND seed = $7 AND budget = $8 AND state = 'waiting'",
      {done->score, done->details, now_s, now_s, done->id, what.candidate, stored_seed(what), what.budget});
  return true;
}

// The condition of a trial whose worker has died; the values $first and $first + 1 are the ends of the time in which
// its last heartbeat should be. A heartbeat far in the future counts as none: the clock of that worker's machine was
// wrong.
std::string dead_condition(int first) {
  return fmt::format("state = 'running' AND (beat_s < ${} OR beat_s > ${})", first, first + 1);
}

// The trial that this worker may start now.
std::optional<Trial> find_startable(Database& database, double now_s, const ClaimOptions& options) {
  if (std::optional<Trial> dead =
          find_first(database, dead_condition(1), {now_s - options.timeout_s, now_s + options.timeout_s}))
    return dead;
  while (true) {
    std::optional<Trial> waiting = find_first(
        database,
        "state = 'waiting' AND NOT EXISTS (SELECT 1 FROM effnet_trials r WHERE r.candidate = t.candidate AND "
        "r.seed = t.seed AND r.budget = t.budget AND r.state = 'running')",
        {});
    if (!waiting || !end_twins(database, waiting->what, now_s)) return waiting;
  }
}

}  // namespace

bool Study::exists(const std::string& where) { return database_exists(where, kStudyTable); }

void Study::create(const std::string& where, std::string_view kind, std::string_view settings) {
  create_database(where, [&](Database& database) { make_tables(database, kind, settings); });
}

void Study::create_if_missing(const std::string& where, std::string_view kind, std::string_view settings) {
  try {
    create(where, kind, settings);
  } catch (const Error&) {
    if (!exists(where)) throw;
  }
}

Study::Study(const std::string& where, std::string_view kind, const WaitOptions& waiting, Access access)
    : Study(open_database(where, waiting, access), kind) {}

Study::Study(std::unique_ptr<Database> database, std::string_view kind) : database_(std::move(database)) {
  Database& d = *database_;
  d.retry([&] {
    const bool current = d.has_table(kStudyTable);
    if (!current && !(d.has_table("study") && d.has_table("trials"))) {  // the tables of version 1
      throw no_study(d);
    }
    const char* const table = current ? kStudyTable : "study";
    if (const std::string version = value_of(d, table, "version"); version != std::to_string(kVersion)) {
      throw input_error("{}: a study of another version (got {}, expected {})", d.name(), in_quotes(version), kVersion)
          .with_hint("the effnet that made it can read it");
    }
    if (const std::string found = value_of(d, table, "kind"); found != kind) throw other_kind(d.name(), found, kind);
    settings_ = value_of(d, table, "settings");
  });
}

std::filesystem::path Study::runs_folder(const std::string& where) {
  if (!is_server(where)) return where + ".runs";
  constexpr std::size_t kDigits = 16;
  Digest digest;
  digest.add(name_of(where));
  return fmt::format("effnet-{}.runs", digest.hex().substr(0, kDigits));
}

std::vector<Trial> Study::trials() {
  std::vector<Trial> trials = select_trials(*database_, "TRUE", {});
  check_ids(trials, 1, name());
  return trials;
}

std::vector<Trial> Study::trials_of(std::int64_t generation) {
  std::vector<Trial> trials = select_trials(*database_, "generation = $1", {generation});
  if (!trials.empty()) check_ids(trials, trials.front().id, name());
  return trials;
}

TrialCounts Study::counts() {
  return database_->retry([&] {
    TrialCounts counts;
    database_->run("SELECT state, COUNT(*) FROM effnet_trials GROUP BY state", {}, [&](const Row& row) {
      const TrialState state = state_of(row.text(0), name());
      (state == TrialState::waiting   ? counts.waiting
       : state == TrialState::running ? counts.running
       : state == TrialState::done    ? counts.done
                                      : counts.failed) = row.integer(1);
    });
    return counts;
  });
}

std::int64_t Study::generations() {
  return database_->retry([&] { return number_of_generations(*database_); });
}

std::string Study::state() {
  return database_->retry([&] { return value_of(*database_, kStudyTable, "state"); });
}

std::optional<PlanInput> Study::plan_input() {
  std::optional<PlanInput> input;
  database_->retry([&] {
    // One statement, so that number and state belong together.
    return database_->run(
        "SELECT (SELECT COALESCE(MAX(generation), -1) + 1 FROM effnet_trials), "
        "(SELECT value FROM effnet_study WHERE key = 'state') "
        "WHERE NOT EXISTS (SELECT 1 FROM effnet_trials WHERE state IN ('waiting', 'running'))",
        {}, [&](const Row& row) { input = PlanInput{.generation = row.integer(0), .state = row.text(1), .last = {}}; });
  });
  if (input && input->generation > 0) input->last = trials_of(input->generation - 1);  // ended: they do not change
  return input;
}

bool Study::add_generation(std::int64_t generation, std::span<const NewTrial> trials, std::string_view state) {
  EFFNET_CHECK(!trials.empty());
  return in_transaction(*database_, Sync::at_commit, [&] {
    if (number_of_generations(*database_) != generation) return false;
    insert_trials(*database_, generation, trials);
    database_->run("UPDATE effnet_study SET value = $1 WHERE key = 'state'", {std::string(state)});
    return true;
  });
}

std::optional<Trial> Study::claim(std::string_view worker, double now_s, const ClaimOptions& options) {
  const std::string name(worker);
  // A claim, a heartbeat and a release need no sync: without them the trial waits again, or is repeated.
  return in_transaction(*database_, Sync::later, [&]() -> std::optional<Trial> {
    Database& d = *database_;
    // An earlier call whose answer was lost.
    if (std::optional<Trial> held =
            find_first(d, "state = 'running' AND worker = $1 AND started_s = $2", {name, now_s}))
      return held;
    d.run(fmt::format("UPDATE effnet_trials SET state = 'failed', ended_s = $1, "
                      "details = 'the worker died at each attempt' WHERE {} AND attempts >= $4",
                      dead_condition(2)),
          {now_s, now_s - options.timeout_s, now_s + options.timeout_s, std::int64_t{options.most_attempts}});
    std::optional<Trial> trial = find_startable(d, now_s, options);
    if (!trial) return trial;
    trial->state = TrialState::running;
    trial->worker = name;
    trial->started_s = now_s;
    ++trial->attempts;
    d.run(
        "UPDATE effnet_trials SET state = 'running', worker = $1, beat_s = $2, started_s = $3, attempts = $4 "
        "WHERE id = $5",
        {name, now_s, now_s, std::int64_t{trial->attempts}, trial->id});
    return trial;
  });
}

bool Study::beat(std::int64_t id, std::string_view worker, double now_s) {
  return in_transaction(*database_, Sync::later, [&] {
    return database_->run("UPDATE effnet_trials SET beat_s = $1 WHERE id = $2 AND worker = $3 AND state = 'running'",
                          {now_s, id, std::string(worker)}) == 1;
  });
}

bool Study::finish(std::int64_t id, std::string_view worker, double score, std::string_view details, double now_s) {
  return in_transaction(*database_, Sync::at_commit, [&] {
    return database_->run(
               "UPDATE effnet_trials SET state = 'done', score = $1, details = $2, ended_s = $3 "
               "WHERE id = $4 AND worker = $5 AND (state = 'running' OR (state = 'done' AND ended_s = $6))",
               {score, std::string(details), now_s, id, std::string(worker), now_s}) == 1;
  });
}

bool Study::fail(std::int64_t id, std::string_view worker, std::string_view error, double now_s) {
  return in_transaction(*database_, Sync::at_commit, [&] {
    return database_->run(
               "UPDATE effnet_trials SET state = 'failed', details = $1, ended_s = $2 "
               "WHERE id = $3 AND worker = $4 AND (state = 'running' OR (state = 'failed' AND ended_s = $5))",
               {one_line(error), now_s, id, std::string(worker), now_s}) == 1;
  });
}

bool Study::release(std::int64_t id, std::string_view worker) {
  return in_transaction(*database_, Sync::later, [&] {
    return database_->run(
               "UPDATE effnet_trials SET state = 'waiting', worker = '', attempts = attempts - 1 "
               "WHERE id = $1 AND worker = $2 AND state = 'running'",
               {id, std::string(worker)}) == 1;
  });
}

}  // namespace effnet::search
