#include "effnet/search/study/sqlite_failure.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace effnet::search {
namespace {

constexpr const char* kNoStudy = "not a study, or a damaged one";
constexpr const char* kNoStudyHint =
    "if it was a study: remove the files -wal and -shm beside it and put a copy from before the damage there, with its "
    "own -wal if it has one; or make the study again";
constexpr const char* kNoWrite = "cannot write";
constexpr const char* kNoWriteHint =
    "the file and its folder must be writable: SQLite keeps two more files beside the study";

// Extended codes come before their primary code. effnet's statements fit the tables that effnet makes. So a statement
// that does not fit (SQLITE_ERROR: no such table, no such column, unsupported file format) or that breaks a constraint
// means another table, and not a wrong statement.
constexpr std::array<SqliteFailure, 22> kFailures{{
    {SQLITE_READONLY_DBMOVED, ErrorCode::environment, "deleted or replaced while this process used it",
     "put the file back beside its log (-wal) and start the command again"},
    {SQLITE_IOERR_SHORT_READ, ErrorCode::input, kNoStudy, kNoStudyHint},  // the file ends too early
    {SQLITE_IOERR_DATA, ErrorCode::input, kNoStudy, kNoStudyHint},        // a wrong checksum
    {SQLITE_IOERR_NOMEM, ErrorCode::environment, "not enough memory", ""},
    {SQLITE_NOTADB, ErrorCode::input, kNoStudy, kNoStudyHint},
    {SQLITE_CORRUPT, ErrorCode::input, kNoStudy, kNoStudyHint},
    {SQLITE_ERROR, ErrorCode::input, kNoStudy, kNoStudyHint},
    {SQLITE_SCHEMA, ErrorCode::input, kNoStudy, kNoStudyHint},      // the tables changed again and again
    {SQLITE_TOOBIG, ErrorCode::input, kNoStudy, kNoStudyHint},      // a text above SQLite's limit of 1 GB
    {SQLITE_CONSTRAINT, ErrorCode::input, kNoStudy, kNoStudyHint},  // a rule that effnet's tables do not have
    {SQLITE_MISMATCH, ErrorCode::input, kNoStudy, kNoStudyHint},    // a column of another type
    {SQLITE_EMPTY, ErrorCode::input, kNoStudy, kNoStudyHint},       // this one and the next are of older versions
    {SQLITE_FORMAT, ErrorCode::input, kNoStudy, kNoStudyHint},
    {SQLITE_READONLY, ErrorCode::environment, kNoWrite, kNoWriteHint},
    {SQLITE_CANTOPEN, ErrorCode::environment, kNoWrite, kNoWriteHint},
    {SQLITE_PERM, ErrorCode::environment, kNoWrite, kNoWriteHint},
    {SQLITE_FULL, ErrorCode::environment, kNoWrite, ""},
    {SQLITE_IOERR, ErrorCode::environment, "cannot read or write", ""},
    {SQLITE_NOLFS, ErrorCode::environment, "the system cannot hold a file of this size", ""},
    {SQLITE_NOMEM, ErrorCode::environment, "not enough memory", ""},
    {SQLITE_PROTOCOL, ErrorCode::environment, "too many processes begin to use it at the same time", "try again"},
    {SQLITE_AUTH, ErrorCode::environment, "SQLite does not permit the access", ""},
}};

}  // namespace

const SqliteFailure* find_sqlite_failure(int extended_code) {
  constexpr int kPrimary = 0xFF;
  const auto* exact = std::ranges::find(kFailures, extended_code, &SqliteFailure::code);
  if (exact != kFailures.end()) return exact;
  const auto* general = std::ranges::find(kFailures, extended_code & kPrimary, &SqliteFailure::code);
  return general == kFailures.end() ? nullptr : general;
}

}  // namespace effnet::search
