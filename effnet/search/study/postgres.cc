#include "effnet/search/study/postgres.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/search/study/libpq.h"

namespace effnet::search {
namespace {

constexpr std::array<std::string_view, 2> kSchemes{"postgresql://", "postgres://"};
constexpr std::array<std::string_view, 4> kShownParameters{"host=", "port=", "dbname=", "options="};

// What libpq does if the URL does not say otherwise. A server that has disappeared is noticed after about half a
// minute; the system's own limits are many minutes.
constexpr std::array<std::pair<const char*, const char*>, 6> kDefaults{{{"connect_timeout", "10"},
                                                                        {"keepalives_idle", "10"},
                                                                        {"keepalives_interval", "5"},
                                                                        {"keepalives_count", "4"},
                                                                        {"tcp_user_timeout", "30000"},
                                                                        {"fallback_application_name", "effnet"}}};

// The server ends a connection that does nothing in a transaction for so long, because its process is stopped or its
// machine is off. Less than WaitOptions::lock_s, so that the others then get the lock.
constexpr const char* kLongestPause = "20s";

constexpr std::string_view kLockNotAvailable = "55P03";
// SQLSTATE codes, or their beginnings, after which the connection has ended or will end at once: connection errors,
// shutdown of the server, transaction idle for too long.
constexpr std::array<std::string_view, 3> kLostStates{"08", "57P", "25P03"};

struct Failure {
  std::string_view state;  // SQLSTATE or its beginning
  ErrorCode code;
  const char* what;
  const char* hint;
};
constexpr const char* kNoStudy = "not a study, or a damaged one";
// Appendix A of PostgreSQL's manual has the codes. effnet's statements fit the tables that effnet makes, so a statement
// that does not fit or that breaks a constraint means other tables. All other codes are bugs of effnet.
constexpr std::array<Failure, 13> kFailures{{
    {"25006", ErrorCode::environment, "the server accepts no changes", "use the primary server, not a standby"},
    {"3F000", ErrorCode::environment, "no schema for the tables", "make it with CREATE SCHEMA, or correct search_path"},
    {"42501", ErrorCode::environment, "no permission",
     "the user must be allowed to make and write tables in the schema"},
    {"42P01", ErrorCode::input, kNoStudy, ""},  // no such table
    {"42703", ErrorCode::input, kNoStudy, ""},  // no such column
    {"42804", ErrorCode::input, kNoStudy, ""},  // a column of another type
    {"42883", ErrorCode::input, kNoStudy, ""},  // no operator or function for a column's type
    {"22", ErrorCode::input, kNoStudy, ""},     // a value does not fit a column
    {"23", ErrorCode::input, kNoStudy, ""},     // a constraint
    {"XX001", ErrorCode::input, kNoStudy, ""},  // damaged table
    {"XX002", ErrorCode::input, kNoStudy, ""},  // damaged index
    {"53", ErrorCode::environment, "the server lacks disk space, memory or connections", ""},
    {"58", ErrorCode::environment, "the server cannot read or write its files", ""},
}};

// libpq's reasons have several lines; the first one says what is wrong.
std::string first_line(const char* message) {
  const std::string_view text = message == nullptr ? std::string_view() : message;
  return one_line(text.substr(0, text.find_first_of("\n\t")));
}

std::string text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    EFFNET_CHECK(text->find('\0') == std::string::npos);
    return *text;
  }
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);  // reads back exactly
  return fmt::format("{}", std::get<std::int64_t>(value));
}

// The text without the password of the URL, which some of libpq's reasons repeat.
std::string without_password(std::string text, std::string_view url) {
  const std::size_t user = url.find("://") + 3, at = url.find('@', user), colon = url.find(':', user);
  if (at == std::string_view::npos || colon > at || colon + 1 == at) return text;
  const std::string_view password = url.substr(colon + 1, at - colon - 1);
  for (std::size_t found = text.find(password); found != std::string::npos; found = text.find(password, found + 3))
    text.replace(found, password.size(), "***");
  return text;
}

using Connection = std::unique_ptr<PGconn, decltype(&::PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&::PQclear)>;

class PostgresRow final : public Row {
 public:
  PostgresRow(const Libpq& pq, const PGresult* result, int row, const std::string& study)
      : pq_(pq), result_(result), row_(row), study_(study) {}
  std::int64_t integer(int column) const override { return parsed<std::int64_t>(column); }
  double number(int column) const override { return parsed<double>(column); }
  std::string text(int column) const override { return std::string(bytes(column)); }

 private:
  std::string_view bytes(int column) const {  // empty if NULL
    return {pq_.getvalue(result_, row_, column), static_cast<std::size_t>(pq_.getlength(result_, row_, column))};
  }
  template <class Number>
  Number parsed(int column) const {
    const std::string_view text = bytes(column);
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw input_error("{}: a damaged study (got {} in column {} of a result, expected a number)", study_,
                        text.empty() ? "nothing" : in_quotes(text), column + 1);
    }
    return number;
  }

  const Libpq& pq_;
  const PGresult* result_;
  int row_;
  const std::string& study_;  // its name, for messages
};

class Postgres final : public Database {
 public:
  Postgres(const std::string& url, const WaitOptions& waiting)
      : Database(url, name_of_url(url), waiting), pq_(libpq()), connection_(connect()) {
    if (pq_.status(connection_.get()) != CONNECTION_OK) {
      throw environment_error("{}: cannot connect ({})", name(), reason())
          .with_hint(
              "check that the server runs and that host, port and database of the URL are right; the password comes "
              "from PGPASSWORD, ~/.pgpass or the URL");
    }
    configure();
  }

  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    std::vector<std::string> texts;
    texts.reserve(values.size());
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const Value& value : values) pointers.push_back(texts.emplace_back(text_of(value)).c_str());
    const Result result(pq_.exec_params(connection_.get(), std::string(sql).c_str(), static_cast<int>(values.size()),
                                        nullptr, pointers.data(), nullptr, nullptr, 0),
                        pq_.clear);
    const ExecStatusType status = pq_.result_status(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(result.get());
    if (status == PGRES_TUPLES_OK) {
      for (int row = 0; each_row && row < pq_.ntuples(result.get()); ++row)
        each_row(PostgresRow(pq_, result.get(), row, name()));
      return 0;
    }
    const std::string_view changed = pq_.cmd_tuples(result.get());  // empty for statements that change no rows
    std::int64_t count = 0;
    std::from_chars(changed.data(), changed.data() + changed.size(), count);
    return count;
  }

  bool has_table(std::string_view table) override {
    bool found = false;
    run("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1", {std::string(table)},
        [&](const Row&) { found = true; });
    return found;
  }

  // The lock is a number of the schema, because it must work before the tables exist. It is released when the
  // transaction ends. The isolation level matters: the statements after the lock must see what others have stored
  // while this connection waited for it.
  void begin_write(Sync /*sync*/) override {
    run("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    try {
      run("SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", {kLockClass});
    } catch (...) {
      roll_back();
      throw;
    }
  }
  void commit() override { run("COMMIT"); }
  void roll_back() noexcept override {
    const Result ignored(pq_.exec_params(connection_.get(), "ROLLBACK", 0, nullptr, nullptr, nullptr, nullptr, 0),
                         pq_.clear);
  }

  void reconnect() override {
    connection_ = connect();
    if (pq_.status(connection_.get()) != CONNECTION_OK) throw ConnectionLost(name(), reason());
    configure();
  }

 private:
  std::string reason() const { return without_password(first_line(pq_.error_message(connection_.get())), where()); }
  static constexpr std::int64_t kLockClass = 0x6566666E;  // "effn": locks of other programs have other numbers

  // Where an option is repeated, the last one counts: those of the URL replace kDefaults.
  Connection connect() const {
    std::vector<const char*> names, values;
    names.reserve(kDefaults.size() + 3);
    values.reserve(kDefaults.size() + 3);
    const auto add = [&](const char* option, const char* value) {
      names.push_back(option);
      values.push_back(value);
    };
    for (const auto& [option, value] : kDefaults) add(option, value);
    add("dbname", where().c_str());
    add("client_encoding", "UTF8");
    add(nullptr, nullptr);
    Connection connection(pq_.connectdb_params(names.data(), values.data(), 1), pq_.finish);
    // libpq prints notices of the server to stderr by default.
    pq_.set_notice_processor(
        connection.get(), [](void*, const char*) {}, nullptr);
    return connection;
  }

  void configure() {
    const double lock_ms = std::max(1.0, 1000 * waiting().lock_s);  // 0 would be no limit
    run("SELECT set_config('lock_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false)",
        {fmt::format("{:.0f}ms", lock_ms), kLongestPause});
  }

  [[noreturn]] void fail(const PGresult* result) const {
    const auto part_of = [&](int part) {
      const char* text = result == nullptr ? nullptr : pq_.result_error_field(result, part);
      return std::string_view(text == nullptr ? "" : text);
    };
    const std::string_view state = part_of(PG_DIAG_SQLSTATE);
    const std::string_view primary = part_of(PG_DIAG_MESSAGE_PRIMARY);
    const std::string why = primary.empty() ? reason() : one_line(primary);
    const auto is = [&](std::string_view begin) { return state.starts_with(begin); };
    if (pq_.status(connection_.get()) != CONNECTION_OK || std::ranges::any_of(kLostStates, is))
      throw ConnectionLost(name(), why);
    if (is(kLockNotAvailable)) {
      throw environment_error("{}: locked by another process (waited {:g} s, got: {})", name(), waiting().lock_s, why)
          .with_hint("wait for the other process, or stop it");
    }
    const auto* found = std::ranges::find_if(kFailures, is, &Failure::state);
    if (found == kFailures.end()) throw internal_error("{}: PostgreSQL error {} ({})", name(), state, why);
    throw Error(found->code, fmt::format("{}: {} ({})", name(), found->what, why), found->hint);
  }

  const Libpq& pq_;
  Connection connection_;
};

}  // namespace

bool is_postgres_url(std::string_view where) {
  return std::ranges::any_of(kSchemes, [&](std::string_view scheme) { return where.starts_with(scheme); });
}

std::string name_of_url(std::string_view url) {
  constexpr std::string_view kSeparator = "://";
  std::string_view rest = url.substr(url.find(kSeparator) + kSeparator.size());
  std::string name(kSchemes.front());
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    if (user.find_first_of("/?#") != std::string_view::npos || rest.find('@') != std::string_view::npos) {
      throw usage_error(
          "the URL of the database has '@', '/', '?' or '#' in user, password or a later part "
          "(expected %40, %2F, %3F or %23)");
    }
    name += fmt::format("{}@", user.substr(0, user.find(':')));
  }
  const std::size_t question = rest.find('?');
  name += rest.substr(0, question);
  if (question == std::string_view::npos) return one_line(name);
  char separator = '?';
  for (std::string_view left = rest.substr(question + 1); !left.empty();) {
    const std::string_view parameter = left.substr(0, left.find('&'));
    left.remove_prefix(std::min(left.size(), parameter.size() + 1));
    const auto is = [&](std::string_view begin) { return parameter.starts_with(begin); };
    if (std::ranges::none_of(kShownParameters, is)) continue;
    name += separator;
    name += parameter;
    separator = '&';
  }
  return one_line(name);
}

std::unique_ptr<Database> open_postgres(const std::string& url, const WaitOptions& waiting, Access /*access*/) {
  return std::make_unique<Postgres>(url, waiting);
}

void create_in_postgres(const std::string& url, const Fill& fill, const WaitOptions& waiting) {
  Postgres database(url, waiting);
  Transaction transaction(database);
  fill(database);
  transaction.commit();
}

bool postgres_has_table(const std::string& url, std::string_view table) { return Postgres(url, {}).has_table(table); }

}  // namespace effnet::search
