// The driver for SQLite files. Messages have the file's path.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "effnet/search/study/database.h"

namespace effnet::search {

std::unique_ptr<Database> open_sqlite(const std::string& file, const WaitOptions& waiting, Access access);

// The file is made in a temporary folder beside it and appears complete.
void create_sqlite(const std::string& file, const Fill& fill, const WaitOptions& waiting);

bool sqlite_file_exists(const std::string& file, std::string_view table);  // with any tables

}  // namespace effnet::search
