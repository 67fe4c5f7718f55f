#include "effnet/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "effnet/base/error.h"

// In place of the C library's, so that a test sees who calls it: the umask belongs to the whole process.
namespace {
std::atomic<int> umask_calls = 0;
}
extern "C" mode_t umask(mode_t mask) noexcept {
  ++umask_calls;
  return static_cast<mode_t>(::syscall(SYS_umask, mask));
}

namespace effnet {
namespace {

namespace fs = std::filesystem;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::internal;
}

TEST(File, WritesAppearWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_text(path, "first");
  {
    AtomicFile file(path);
    file.write("second, never committed");
  }
  EXPECT_EQ(read_text(path), "first");
  EXPECT_EQ(files_in(folder.path()), 1U) << "no temporary file stays";
  write_text(path, "third");
  EXPECT_EQ(read_text(path), "third");
}

TEST(File, UnwritablePlacesAreEnvironmentErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { write_text(folder.path() / "missing" / "a", "x"); }), ErrorCode::environment);
  EXPECT_EQ(code_of([&] { write_text(folder.path(), "x"); }), ErrorCode::environment);
  EXPECT_EQ(code_of([&] { make_folders("/proc/effnet"); }), ErrorCode::environment);
}

// A full disk, by the process's own file size limit: the old file stays, no temporary is left.
TEST(File, AFullDiskLosesNothing) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_text(path, "precious");
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = 0;
    try {
      write_text(path, std::string(1 << 20, 'x'));
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ErrorCode::environment));
  EXPECT_EQ(read_text(path), "precious");
  EXPECT_EQ(files_in(folder.path()), 1U);
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

// While a test holds it, this is the process's umask.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

TEST(File, ANewFileHasWhatTheUmaskLeaves) {
  const TemporaryFolder folder;
  for (const mode_t mask : {0022U, 0027U, 0077U, 0002U, 0U}) {
    const Umask held(mask);
    const fs::path path = folder.path() / std::to_string(mask);
    write_text(path, "new");
    EXPECT_EQ(mode_of(path), 0666 & ~mask) << mask;
  }
}

TEST(File, AFileThatIsReplacedKeepsItsPermissions) {
  const TemporaryFolder folder;
  for (const mode_t mask : {0022U, 0077U, 0U}) {
    const Umask held(mask);
    for (const mode_t mode : {0600U, 0640U, 0664U, 0444U, 0755U}) {
      const fs::path path = folder.path() / "a";
      write_text(path, "old");
      ASSERT_EQ(::chmod(path.c_str(), mode), 0);
      AtomicFile file(path);
      file.write("new");
      for (const fs::directory_entry& entry : fs::directory_iterator(folder.path())) {
        EXPECT_EQ(mode_of(entry.path()) & ~mode, 0U)
            << "the temporary file allows more than the file that it will replace";
      }
      file.commit();
      EXPECT_EQ(mode_of(path), mode) << mask;
      EXPECT_EQ(read_text(path), "new");
      fs::remove(path);
    }
  }
}

// Another thread that made a file between setting the umask and setting it back would make it for everybody.
TEST(File, WritingNeverTouchesTheUmask) {
  const TemporaryFolder folder;
  const int before = umask_calls;
  write_text(folder.path() / "a", "new");
  write_text(folder.path() / "a", "in place of it");
  const FileLock lock(folder.path() / "lock");
  make_folders(folder.path() / "b" / "c");
  const TemporaryFolder other(folder.path());
  EXPECT_EQ(umask_calls, before);
}

TEST(File, UnreadableThingsAreInputErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { MappedFile file(folder.path() / "none"); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { MappedFile file(folder.path()); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { MappedFile file("/dev/zero"); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { read_text(folder.path() / "none"); }), ErrorCode::input);
  write_text(folder.path() / "empty", "");
  EXPECT_TRUE(MappedFile(folder.path() / "empty").bytes().empty());
}

TEST(File, LockIsExclusiveAndSaysWhetherItWaited) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "lock";
  auto first = std::make_unique<FileLock>(path);
  EXPECT_FALSE(first->waited());
  std::atomic<bool> released = false;  // thread sanitizers see no order in a file's lock
  std::thread other([&] {
    const FileLock second(path);
    EXPECT_TRUE(second.waited());
    EXPECT_TRUE(released);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  released = true;
  first.reset();
  other.join();
}

TEST(File, Sha256OfKnownVectors) {  // FIPS 180-4 examples
  const auto hash = [](std::string_view text) { return sha256(std::as_bytes(std::span(text))); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace effnet
