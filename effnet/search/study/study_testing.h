// Places for the studies of tests: an SQLite file, or a schema of the PostgreSQL server that the environment variable
// EFFNET_TEST_POSTGRES names by its URL. tests/integration/test_postgres.py starts such a server.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/file.h"
#include "effnet/search/study/database.h"

namespace effnet::search {

// The message of the Error that `call` throws. The test fails if its code is not `code`.
template <class Call>
std::string failure(ErrorCode code, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}
inline std::string test_server() { return variable("EFFNET_TEST_POSTGRES"); }

// A schema of the test server, removed with all its tables at the end. Tests may run at the same time.
class TestSchema {
 public:
  TestSchema() { open_database(test_server())->run("CREATE SCHEMA " + name_); }
  ~TestSchema() {
    try {
      open_database(test_server())->run(fmt::format("DROP SCHEMA {} CASCADE", name_));
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  TestSchema(const TestSchema&) = delete;
  TestSchema& operator=(const TestSchema&) = delete;
  const std::string& name() const { return name_; }
  std::string url() const {
    const std::string server = test_server();
    const char* const separator = server.find('?') == std::string::npos ? "?" : "&";
    return fmt::format("{}{}options=-csearch_path%3D{}", server, separator, name_);
  }

 private:
  static inline std::atomic<int> count = 0;
  std::string name_ = fmt::format("effnet_test_{}_{}", ::getpid(), count++);
};

// Passes everything on to another database. A base for databases that observe or disturb.
class PassingDatabase : public Database {
 public:
  PassingDatabase(std::unique_ptr<Database> inner, WaitOptions waiting)
      : Database(inner->where(), inner->name(), std::move(waiting)), inner_(std::move(inner)) {}
  std::int64_t run(std::string_view sql, const std::vector<Value>& values = {}, const EachRow& each_row = {}) override {
    return inner_->run(sql, values, each_row);
  }
  bool has_table(std::string_view table) override { return inner_->has_table(table); }
  void begin_write(Sync sync) override { inner_->begin_write(sync); }
  void commit() override { inner_->commit(); }
  void roll_back() noexcept override { inner_->roll_back(); }
  void reconnect() override { inner_->reconnect(); }

 protected:
  Database& inner() { return *inner_; }

 private:
  std::unique_ptr<Database> inner_;
};

// A fixture whose tests run once for each driver. `where()` is a place without a study.
class DatabaseTest : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    if (!on_server()) return;
    if (test_server().empty()) GTEST_SKIP() << "EFFNET_TEST_POSTGRES is not set";
    schema_.emplace();
  }
  bool on_server() const { return GetParam() == "postgres"; }
  std::string where() const { return on_server() ? schema_->url() : (folder_.path() / "study.sqlite").string(); }

 private:
  TemporaryFolder folder_;
  std::optional<TestSchema> schema_;
};

inline const auto kEachDriver = testing::Values(std::string_view("sqlite"), std::string_view("postgres"));
inline std::string driver_name(const testing::TestParamInfo<std::string_view>& info) { return std::string(info.param); }

}  // namespace effnet::search
