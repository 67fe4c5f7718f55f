#include "effnet/search/study/sqlite_failure.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace effnet::search {
namespace {

TEST(SqliteFailure, ADamagedOrForeignFileIsInput) {
  for (const int code : {SQLITE_ERROR, SQLITE_ERROR_MISSING_COLLSEQ, SQLITE_CORRUPT, SQLITE_CORRUPT_INDEX,
                         SQLITE_NOTADB, SQLITE_SCHEMA, SQLITE_CONSTRAINT, SQLITE_CONSTRAINT_UNIQUE, SQLITE_MISMATCH,
                         SQLITE_TOOBIG, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_DATA}) {
    ASSERT_NE(find_sqlite_failure(code), nullptr) << code;
    EXPECT_EQ(find_sqlite_failure(code)->error, ErrorCode::input) << code;
  }
}

TEST(SqliteFailure, APlaceThatCannotBeUsedIsEnvironment) {
  for (const int code : {SQLITE_READONLY, SQLITE_READONLY_DIRECTORY, SQLITE_READONLY_DBMOVED, SQLITE_CANTOPEN,
                         SQLITE_CANTOPEN_ISDIR, SQLITE_PERM, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_WRITE,
                         SQLITE_IOERR_NOMEM, SQLITE_NOMEM, SQLITE_NOLFS, SQLITE_PROTOCOL, SQLITE_AUTH}) {
    ASSERT_NE(find_sqlite_failure(code), nullptr) << code;
    EXPECT_EQ(find_sqlite_failure(code)->error, ErrorCode::environment) << code;
  }
}

TEST(SqliteFailure, WrongUseOfTheLibraryHasNoRow) {
  for (const int code : {SQLITE_MISUSE, SQLITE_RANGE, SQLITE_INTERNAL, SQLITE_ABORT, SQLITE_INTERRUPT, SQLITE_NOTFOUND})
    EXPECT_EQ(find_sqlite_failure(code), nullptr) << code;
}

}  // namespace
}  // namespace effnet::search
