#include "effnet/search/study/database.h"

#include <algorithm>
#include <array>

#include "effnet/search/study/postgres.h"
#include "effnet/search/study/sqlite.h"

namespace effnet::search {
namespace {

struct Driver {
  bool (*takes)(std::string_view where);
  std::unique_ptr<Database> (*open)(const std::string& where, const WaitOptions& waiting, Access access);
  void (*create)(const std::string& where, const Fill& fill, const WaitOptions& waiting);
  bool (*exists)(const std::string& where, std::string_view table);
};

// The first one that takes `where` is used.
constexpr std::array<Driver, 2> kDrivers{{
    {is_postgres_url, open_postgres, create_in_postgres, postgres_has_table},
    {[](std::string_view) { return true; }, open_sqlite, create_sqlite, sqlite_file_exists},
}};

const Driver& driver_of(std::string_view where) {
  return *std::ranges::find_if(kDrivers, [&](const Driver& one) { return one.takes(where); });
}

}  // namespace

void Database::wait_to_reconnect(int lost, const ConnectionLost& error) const {
  if (lost == waiting_.reconnections) {
    throw environment_error("{}; it could not be restored (got {} failed attempts, {:g} s apart)", error.what(), lost,
                            waiting_.reconnect_s)
        .with_hint("when the server runs again, start the command again: the search continues");
  }
  waiting_.sleep(waiting_.reconnect_s);
}

bool is_server(std::string_view where) { return is_postgres_url(where); }

std::string name_of(const std::string& where) { return is_server(where) ? name_of_url(where) : where; }

std::unique_ptr<Database> open_database(const std::string& where, const WaitOptions& waiting, Access access) {
  return driver_of(where).open(where, waiting, access);
}

void create_database(const std::string& where, const Fill& fill, const WaitOptions& waiting) {
  driver_of(where).create(where, fill, waiting);
}

bool database_exists(const std::string& where, std::string_view table) { return driver_of(where).exists(where, table); }

}  // namespace effnet::search
