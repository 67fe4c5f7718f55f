// The driver for SQLite files. Messages have the file's path.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/study/database.h"

namespace effnet::search {

std::unique_ptr<Database> open_sqlite(const std::string& file, const WaitOptions& waiting, Access access);

// The file is made in a temporary folder beside it and appears complete. Throws Error(usage) also if SQLite's files of
// an earlier study of this name (-wal, -shm, -journal) are there.
void create_sqlite(const std::string& file, const Fill& fill, const WaitOptions& waiting);

bool is_sqlite_file(const std::string& file);  // begins as such a file does; false if it cannot be read
// Whether it is a file that SQLite keeps beside such a file: its log, and the index of the log.
bool is_beside_sqlite_file(const std::string& file);
bool sqlite_file_exists(const std::string& file, std::string_view table);  // with any tables

}  // namespace effnet::search
