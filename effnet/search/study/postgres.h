// The driver for PostgreSQL servers.
//
// A URL is libpq's: postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE. The password comes from the URL
// (USER:PASSWORD), from the environment (PGPASSWORD) or from ~/.pgpass. The tables are in the first schema of the
// search path, usually `public`; the parameter options=-csearch_path%3DNAME selects another one, which must exist.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "effnet/search/study/database.h"

namespace effnet::search {

bool is_postgres_url(std::string_view where);  // postgresql://... or postgres://...

// The URL for messages: without password, and of its parameters only those that tell databases apart. Throws
// Error(usage), without the URL, if "@" or "/" in the user's name or password are not written as %40 and %2F, because
// libpq would take a part of the password for the host and print it.
std::string name_of_url(std::string_view url);

// Throws Error(usage) for a wrong URL, and Error(environment) with libpq's reason if the server cannot be reached or
// refuses the user, or if libpq is not installed. Both kinds of access are the same: the server checks each statement.
std::unique_ptr<Database> open_postgres(const std::string& url, const WaitOptions& waiting, Access access);
void create_in_postgres(const std::string& url, const Fill& fill, const WaitOptions& waiting);
bool postgres_has_table(const std::string& url, std::string_view table);

}  // namespace effnet::search
