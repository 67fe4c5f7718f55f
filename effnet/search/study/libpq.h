// libpq, PostgreSQL's client library. It is loaded when the first URL is opened, because linking it would cost 5 ms at
// each start of every command.
#pragma once

#include <libpq-fe.h>

namespace effnet::search {

// The functions of libpq that the driver uses, by their names without "PQ".
struct Libpq {
  decltype(&::PQconnectdbParams) connectdb_params = nullptr;
  decltype(&::PQstatus) status = nullptr;
  decltype(&::PQerrorMessage) error_message = nullptr;
  decltype(&::PQfinish) finish = nullptr;
  decltype(&::PQsetNoticeProcessor) set_notice_processor = nullptr;
  decltype(&::PQexecParams) exec_params = nullptr;
  decltype(&::PQresultStatus) result_status = nullptr;
  decltype(&::PQresultErrorField) result_error_field = nullptr;
  decltype(&::PQntuples) ntuples = nullptr;
  decltype(&::PQgetvalue) getvalue = nullptr;
  decltype(&::PQgetlength) getlength = nullptr;
  decltype(&::PQcmdTuples) cmd_tuples = nullptr;
  decltype(&::PQclear) clear = nullptr;
};

// Loads the library with this file name. Throws Error(environment) if it is not installed.
Libpq load_libpq(const char* file);

const Libpq& libpq();  // libpq.so.5, loaded by the first call

}  // namespace effnet::search
