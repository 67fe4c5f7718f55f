#include "effnet/search/study/study.h"

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::search {
namespace {

constexpr const char* kColumns =
    "id, generation, candidate, seed, budget, state, attempts, worker, started_s, ended_s, score, details";

Trial trial_of(const Statement& row) {
  return {
      .id = row.integer(0),
      .generation = row.integer(1),
      .what = {.candidate = row.text(2), .seed = static_cast<std::uint64_t>(row.integer(3)), .budget = row.number(4)},
      .state = named_in(kTrialStates, row.text(5), "state"),
      .attempts = static_cast<int>(row.integer(6)),
      .worker = row.text(7),
      .started_s = row.number(8),
      .ended_s = row.number(9),
      .score = row.number(10),
      .details = row.text(11)};
}

std::string value_of(Database& database, std::string_view key) {
  Statement query(database, "SELECT value FROM study WHERE key = ?");
  query.bind(key);
  if (!query.next())
    throw input_error("{}: not a study (got no {}, expected a file that effnet has made)", database.file().string(),
                      key);
  return query.text(0);
}

bool has_table(Database& database, std::string_view table) {
  Statement query(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  return query.bind(table).next();
}

// Makes the tables of a new study.
void fill(Database& database, std::string_view kind, std::string_view settings) {
  Transaction transaction(database);
  database.run("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  database.run(
      "CREATE TABLE trials (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, candidate TEXT NOT NULL, "
      "seed INTEGER NOT NULL, budget REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', "
      "attempts INTEGER NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '', beat_s REAL NOT NULL DEFAULT 0, "
      "started_s REAL NOT NULL DEFAULT 0, ended_s REAL NOT NULL DEFAULT 0, score REAL NOT NULL DEFAULT 0, "
      "details TEXT NOT NULL DEFAULT '')");
  database.run("CREATE INDEX trials_by_state ON trials (state, id)");
  Statement insert(database, "INSERT INTO study VALUES (?, ?)");
  insert.bind("version").bind(std::to_string(Study::kVersion)).run();
  insert.bind("kind").bind(kind).run();
  insert.bind("settings").bind(settings).run();
  insert.bind("generations").bind("0").run();
  transaction.commit();
}

}  // namespace

void Study::create(const std::filesystem::path& file, std::string_view kind, std::string_view settings) {
  Database database(file, Database::Open::create);
  try {
    fill(database, kind, settings);
  } catch (const Error&) {  // no space, for example: leave no half study
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
      std::filesystem::remove(file.string() + suffix, ignored);
    throw;
  }
}

Study::Study(const std::filesystem::path& file, std::string_view kind) : database_(file, Database::Open::existing) {
  if (!has_table(database_, "study") || !has_table(database_, "trials"))
    throw input_error("{}: not a study (got a database without trials, expected a file that effnet has made)",
                      file.string());
  if (const std::string version = value_of(database_, "version"); version != std::to_string(kVersion)) {
    throw input_error("{}: a study of another version (got {}, expected {})", file.string(), in_quotes(version),
                      kVersion)
        .with_hint("the effnet that made it can read it");
  }
  if (const std::string found = value_of(database_, "kind"); found != kind)
    throw input_error("{}: a study of another search (got {}, expected {})", file.string(), in_quotes(found),
                      in_quotes(kind));
  settings_ = value_of(database_, "settings");
}

std::vector<Trial> Study::trials() {
  Statement query(database_, fmt::format("SELECT {} FROM trials ORDER BY id", kColumns));
  std::vector<Trial> result;
  while (query.next()) result.push_back(trial_of(query));
  return result;
}

std::int64_t Study::generations() {
  Statement query(database_, "SELECT CAST(value AS INTEGER) FROM study WHERE key = 'generations'");
  query.next();
  return query.integer(0);
}

bool Study::add_generation(std::int64_t generation, std::span<const NewTrial> trials) {
  EFFNET_CHECK(!trials.empty());
  Transaction transaction(database_);
  if (generations() != generation) return false;
  Statement insert(database_, "INSERT INTO trials (generation, candidate, seed, budget) VALUES (?, ?, ?, ?)");
  for (const NewTrial& one : trials)
    insert.bind(generation).bind(one.candidate).bind(static_cast<std::int64_t>(one.seed)).bind(one.budget).run();
  Statement count(database_, "UPDATE study SET value = ? WHERE key = 'generations'");
  count.bind(std::to_string(generation + 1)).run();
  transaction.commit();
  return true;
}

std::optional<Trial> Study::claim(std::string_view worker, double now_s, const ClaimOptions& options) {
  Transaction transaction(database_);
  const double dead_before = now_s - options.timeout_s;
  Statement give_up(database_,
                    "UPDATE trials SET state = 'failed', ended_s = ?, details = 'the worker died at each attempt' "
                    "WHERE state = 'running' AND beat_s < ? AND attempts >= ?");
  give_up.bind(now_s).bind(dead_before).bind(std::int64_t{options.most_attempts}).run();
  std::optional<Trial> trial;
  {
    Statement query(database_, fmt::format("SELECT {} FROM trials WHERE state = 'waiting' OR (state = 'running' AND "
                                           "beat_s < ?) ORDER BY id LIMIT 1",
                                           kColumns));
    if (query.bind(dead_before).next()) trial = trial_of(query);
  }
  if (trial) {
    trial->state = TrialState::running;
    trial->worker = worker;
    trial->started_s = now_s;
    ++trial->attempts;
    Statement update(database_,
                     "UPDATE trials SET state = 'running', worker = ?, beat_s = ?, started_s = ?, attempts = ? "
                     "WHERE id = ?");
    update.bind(worker).bind(now_s).bind(now_s).bind(std::int64_t{trial->attempts}).bind(trial->id).run();
  }
  transaction.commit();
  return trial;
}

bool Study::beat(std::int64_t id, std::string_view worker, double now_s) {
  Statement update(database_, "UPDATE trials SET beat_s = ? WHERE id = ? AND worker = ? AND state = 'running'");
  update.bind(now_s).bind(id).bind(worker).run();
  return database_.changed_rows() == 1;
}

bool Study::finish(std::int64_t id, std::string_view worker, double score, std::string_view details, double now_s) {
  Statement update(database_,
                   "UPDATE trials SET state = 'done', score = ?, details = ?, ended_s = ? "
                   "WHERE id = ? AND worker = ? AND state = 'running'");
  update.bind(score).bind(details).bind(now_s).bind(id).bind(worker).run();
  return database_.changed_rows() == 1;
}

bool Study::fail(std::int64_t id, std::string_view worker, std::string_view error, double now_s) {
  Statement update(database_,
                   "UPDATE trials SET state = 'failed', details = ?, ended_s = ? "
                   "WHERE id = ? AND worker = ? AND state = 'running'");
  update.bind(error).bind(now_s).bind(id).bind(worker).run();
  return database_.changed_rows() == 1;
}

bool Study::release(std::int64_t id, std::string_view worker) {
  Statement update(database_,
                   "UPDATE trials SET state = 'waiting', worker = '', attempts = attempts - 1 "
                   "WHERE id = ? AND worker = ? AND state = 'running'");
  update.bind(id).bind(worker).run();
  return database_.changed_rows() == 1;
}

bool Study::is_idle() {
  Statement query(database_, "SELECT 1 FROM trials WHERE state IN ('waiting', 'running') LIMIT 1");
  return !query.next();
}

}  // namespace effnet::search
