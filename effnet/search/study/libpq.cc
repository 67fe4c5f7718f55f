#include "effnet/search/study/libpq.h"

#include <dlfcn.h>

#include "effnet/base/error.h"

namespace effnet::search {
namespace {

Error not_usable(const char* file) {
  const char* why = ::dlerror();
  return environment_error("a study on a PostgreSQL server needs {} (got {})", file, why == nullptr ? "no reason" : why)
      .with_hint("install it: apt-get install libpq5");
}

template <class Function>
void find(void* library, const char* file, const char* name, Function*& function) {
  void* const address = ::dlsym(library, name);
  if (address == nullptr) throw not_usable(file);
  function = reinterpret_cast<Function*>(address);
}

}  // namespace

Libpq load_libpq(const char* file) {
  // The library stays loaded until the process ends: the TLS library that it uses registers functions for that moment.
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw not_usable(file);
  Libpq pq;
  find(library, file, "PQconnectdbParams", pq.connectdb_params);
  find(library, file, "PQstatus", pq.status);
  find(library, file, "PQerrorMessage", pq.error_message);
  find(library, file, "PQfinish", pq.finish);
  find(library, file, "PQsetNoticeProcessor", pq.set_notice_processor);
  find(library, file, "PQexecParams", pq.exec_params);
  find(library, file, "PQresultStatus", pq.result_status);
  find(library, file, "PQresultErrorField", pq.result_error_field);
  find(library, file, "PQntuples", pq.ntuples);
  find(library, file, "PQgetvalue", pq.getvalue);
  find(library, file, "PQgetlength", pq.getlength);
  find(library, file, "PQcmdTuples", pq.cmd_tuples);
  find(library, file, "PQclear", pq.clear);
  return pq;
}

const Libpq& libpq() {
  static const Libpq pq = load_libpq("libpq.so.5");
  return pq;
}

}  // namespace effnet::search
