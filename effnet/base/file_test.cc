#include "effnet/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "effnet/base/asleep_testing.h"
#include "effnet/base/error.h"

// Replaces the C library's umask(), so that a test can count the calls.
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

TEST(File, WritesAreAtomic) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_text(path, "first");
  {
    AtomicFile file(path);
    file.write("second, never committed");
  }
  EXPECT_EQ(read_text(path), "first");
  EXPECT_EQ(files_in(folder.path()), 1U) << "the temporary file is removed";
  write_text(path, "third");
  EXPECT_EQ(read_text(path), "third");
}

TEST(File, UnwritablePathsAreEnvironmentErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { write_text(folder.path() / "missing" / "a", "x"); }), ErrorCode::environment);
  EXPECT_EQ(code_of([&] { write_text(folder.path(), "x"); }), ErrorCode::environment);
  EXPECT_EQ(code_of([&] { make_folders("/proc/effnet"); }), ErrorCode::environment);
}

// The process's file size limit simulates a full disk. The old file stays and the temporary file is removed.
TEST(File, AFullDiskKeepsTheOldFile) {
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

// Sets the process's umask; the destructor restores it.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

TEST(File, ANewFileHasMode0666WithoutTheUmask) {
  const TemporaryFolder folder;
  for (const mode_t mask : {0022U, 0027U, 0077U, 0002U, 0U}) {
    const Umask held(mask);
    const fs::path path = folder.path() / std::to_string(mask);
    write_text(path, "new");
    EXPECT_EQ(mode_of(path), 0666 & ~mask) << mask;
  }
}

TEST(File, AReplacedFileKeepsItsPermissions) {
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

// If effnet set the umask for a moment, a file that another thread creates in that moment would get wrong permissions.
TEST(File, WritingNeverChangesTheUmask) {
  const TemporaryFolder folder;
  const int before = umask_calls;
  write_text(folder.path() / "a", "new");
  write_text(folder.path() / "a", "replaced");
  const FileLock lock(folder.path() / "lock");
  make_folders(folder.path() / "b" / "c");
  const TemporaryFolder other(folder.path());
  EXPECT_EQ(umask_calls, before);
}

TEST(File, UnreadablePathsAreInputErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { MappedFile file(folder.path() / "none"); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { MappedFile file(folder.path()); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { MappedFile file("/dev/zero"); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { read_text(folder.path() / "none"); }), ErrorCode::input);
  write_text(folder.path() / "empty", "");
  EXPECT_TRUE(MappedFile(folder.path() / "empty").bytes().empty());
}

TEST(File, LinksAreFollowedAndTheirTargetIsReplaced) {
  const TemporaryFolder folder;
  const fs::path target = folder.path() / "sub" / "v3";
  fs::create_directory(target.parent_path());
  write_text(target, "old");
  ASSERT_EQ(::chmod(target.c_str(), 0600), 0);
  fs::create_symlink("sub/v3", folder.path() / "latest");
  fs::create_symlink(folder.path() / "latest", folder.path() / "newest");
  write_text(folder.path() / "newest", "new");
  EXPECT_TRUE(fs::is_symlink(folder.path() / "newest"));
  EXPECT_TRUE(fs::is_symlink(folder.path() / "latest"));
  EXPECT_EQ(read_text(target), "new");
  EXPECT_EQ(mode_of(target), 0600U);
  EXPECT_EQ(files_in(target.parent_path()), 1U);

  fs::create_symlink("sub/later", folder.path() / "dangling");
  write_text(folder.path() / "dangling", "made");
  EXPECT_EQ(read_text(folder.path() / "sub" / "later"), "made");
  fs::create_symlink("loop", folder.path() / "loop");
  EXPECT_EQ(code_of([&] { write_text(folder.path() / "loop", "x"); }), ErrorCode::environment);
  EXPECT_TRUE(fs::is_symlink(folder.path() / "loop"));
}

TEST(File, CharacterDevicesAreWrittenDirectly) {
  const TemporaryFolder folder;
  const fs::path nothing = folder.path() / "null", full = folder.path() / "full", disk = folder.path() / "disk";
  if (::mknod(nothing.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::mknod(full.c_str(), S_IFCHR | 0666, makedev(1, 7)), 0);
  ASSERT_EQ(::mknod(disk.c_str(), S_IFBLK | 0666, makedev(7, 99)), 0);
  write_text(nothing, "x");
  EXPECT_EQ(fs::status(nothing).type(), fs::file_type::character);
  EXPECT_EQ(code_of([&] { write_text(full, "x"); }), ErrorCode::environment);
  EXPECT_EQ(code_of([&] { write_text(disk, "x"); }), ErrorCode::environment) << "a disk is not overwritten";
  EXPECT_EQ(fs::status(disk).type(), fs::file_type::block);
  EXPECT_EQ(files_in(folder.path()), 3U);
}

TEST(File, AFifoIsWrittenDirectlyAndRefusedForReading) {
  const TemporaryFolder folder;
  const fs::path fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { read_text(fifo); }), ErrorCode::input);
  EXPECT_EQ(code_of([&] { MappedFile file(fifo); }), ErrorCode::input);
  std::string got(3, '?');
  std::thread reader([&] {
    const int descriptor = ::open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::read(descriptor, got.data(), 3), 3);
    ::close(descriptor);
  });
  write_text(fifo, "new");
  reader.join();
  EXPECT_EQ(got, "new");
  EXPECT_EQ(fs::status(fifo).type(), fs::file_type::fifo);
}

TEST(File, DescriptorsOfThisProcessAreReadAndWritten) {
  const TemporaryFolder folder;
  for (const char* place : {"/dev/fd", "/proc/self/fd"}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const auto path = [&](int number) { return fs::path(place) / std::to_string(number); };
    write_text(path(ends[1]), "piped");
    ::close(ends[1]);
    const MappedFile file(path(ends[0]));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()), "piped");
    EXPECT_EQ(read_text(path(ends[0])), "") << "a pipe can be read only once";
    ::close(ends[0]);
  }
  // A regular file that the shell has opened (> all.txt) is written at its position; earlier content stays.
  const fs::path all = folder.path() / "all.txt";
  const int descriptor = ::open(all.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::write(descriptor, "one ", 4), 4);
  fs::create_symlink("/dev/fd/" + std::to_string(descriptor), folder.path() / "out");
  write_text(folder.path() / "out", "two");
  ASSERT_EQ(::write(descriptor, " three", 6), 6);
  ::close(descriptor);
  EXPECT_EQ(read_text(all), "one two three");
}

TEST(File, AReplacedFileKeepsItsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may change the owner of a file";
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_text(path, "old");
  ASSERT_EQ(::chown(path.c_str(), 12345, 23456), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  write_text(path, "new");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 12345U);
  EXPECT_EQ(status.st_gid, 23456U);
  EXPECT_EQ(mode_of(path), 0640U);
}

TEST(File, NamesMayHave255Bytes) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / std::string(255, 'n');
  write_text(path, "x");
  EXPECT_EQ(read_text(path), "x");
}

TEST(File, LockIsExclusiveAndReportsWhetherItWaited) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "lock";
  auto first = std::make_unique<FileLock>(path);
  EXPECT_FALSE(first->waited());
  std::atomic<bool> released = false;  // atomic: the thread sanitizer does not know that flock() orders the threads
  std::thread other([&] {
    const FileLock second(path);
    EXPECT_TRUE(second.waited());
    EXPECT_TRUE(released);
  });
  testing_support::wait_until_others_sleep();
  released = true;
  first.reset();
  other.join();
}

TEST(File, ExtensionsAreInLowerCase) {
  EXPECT_EQ(extension_of("a/x.CSV"), ".csv");
  EXPECT_EQ(extension_of("a.b/x.Tar.GZ"), ".gz");
  EXPECT_EQ(extension_of("A.B/X"), "");
}

TEST(File, Sha256OfKnownVectors) {  // FIPS 180-4 examples
  const auto hash = [](std::string_view text) { return sha256(std::as_bytes(std::span(text))); };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace effnet
