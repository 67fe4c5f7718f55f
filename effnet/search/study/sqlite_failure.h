// What the result codes of SQLite mean for a study.
#pragma once

#include "effnet/base/error.h"

namespace effnet::search {

struct SqliteFailure {
  int code;  // of sqlite3.h: an extended code, or a primary one for all its extended codes
  ErrorCode error;
  const char* what;
  const char* hint;
};

// The row of the extended code, or else of its primary code; null for a code that only a bug of effnet can cause
// (misuse of the library, an index out of range). Locks are not here: their message needs the time that was waited.
const SqliteFailure* find_sqlite_failure(int extended_code);

}  // namespace effnet::search
