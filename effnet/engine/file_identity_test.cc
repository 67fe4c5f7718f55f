#include "effnet/engine/file_identity.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::engine {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string identity_of(const fs::path& path) {
  return read_identified(path, [] {});
}

void overwrite(const fs::path& path, std::string_view text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY);
  EXPECT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(descriptor);
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(FileIdentity, ChangesWithTheFile) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  write_text(path, "one");
  std::set<std::string> seen{identity_of(path)};
  EXPECT_EQ(identity_of(path), *seen.begin());
  EXPECT_EQ(identity_of(folder.path() / "." / "weights"), *seen.begin());
  const auto before = fs::last_write_time(path);
  const auto changed = [&](const char* how) { EXPECT_TRUE(seen.insert(identity_of(path)).second) << how; };
  overwrite(path, "two");
  changed("overwritten in place with the same size, immediately");
  overwrite(path, "six");
  fs::last_write_time(path, before);
  changed("overwritten, with the old modification time");
  write_text(path, "two");
  changed("replaced");
  fs::resize_file(path, 2);
  changed("truncated");
  fs::copy_file(path, folder.path() / "copy");
  EXPECT_FALSE(seen.contains(identity_of(folder.path() / "copy")));
}

TEST(FileIdentity, APipeHasNone) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  for (const fs::path& one : {path, fs::path("/dev/null")}) {
    try {
      identity_of(one);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_EQ(error.what(), fmt::format("{}: cannot read (got {}, expected a file)", one.string(),
                                          one == path ? "a FIFO" : "a device"));
      EXPECT_EQ(error.hint(), "weights are mapped into memory, which needs a regular file: write them to one first");
    }
  }
}

// The file is changed while it is read. The old contents must not get the identity of the new contents.
TEST(FileIdentity, AChangeDuringTheReadIsAnError) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  struct Change {
    const char* how;
    std::function<void()> make;
  };
  const std::vector<Change> changes{
      {"replaced", [&] { write_text(path, "two"); }},
      {"in place", [&] { overwrite(path, "six"); }},
      {"longer", [&] { fs::resize_file(path, 5); }},
      {"gone", [&] { fs::remove(path); }},
  };
  for (const Change& change : changes) {
    write_text(path, "one");
    std::string read;
    EXPECT_THAT(refusal([&] {
                  read_identified(path, [&] {
                    read = read_text(path);
                    change.make();
                  });
                }),
                HasSubstr(path.string()))
        << change.how << " after it was read";
    EXPECT_EQ(read, "one");
    if (!fs::exists(path)) continue;
    write_text(path, "one");
    EXPECT_THAT(refusal([&] {
                  read_identified(path, [&] {
                    change.make();
                    read = read_text(path);
                  });
                }),
                HasSubstr("changed while it was read"))
        << change.how << " before it was read";
  }
}

// Weights that are read a second time must belong to the labels and architecture of the first read.
TEST(FileIdentity, ASecondReadMustBeOfTheSameFile) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  write_text(path, "one");
  const std::string first = identity_of(path);
  std::string read;
  EXPECT_EQ(read_identified(
                path, [&] { read = read_text(path); }, first),
            first);
  EXPECT_EQ(read, "one");
  for (const auto& change :
       {std::function<void()>([&] { write_text(path, "two"); }), {[&] { overwrite(path, "six"); }}}) {
    change();
    EXPECT_THAT(refusal([&] {
                  read_identified(
                      path, [] { FAIL() << "the changed file must not be read"; }, first);
                }),
                HasSubstr("changed while it was read"));
  }
}

TEST(FileIdentity, OtherThanRegularFilesAreRefused) {
  const TemporaryFolder folder;
  for (const fs::path& path : {folder.path() / "none", folder.path(), fs::path("/dev/null")}) {
    try {
      identity_of(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
}

}  // namespace
}  // namespace effnet::engine
