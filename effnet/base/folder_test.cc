#include "effnet/base/folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet {
namespace {

namespace fs = std::filesystem;

TEST(Folder, ListHasTypesFollowsLinksAndIsSorted) {
  const TemporaryFolder folder;
  write_text(folder.path() / "b", "x");
  fs::create_directory(folder.path() / "c");
  fs::create_directory_symlink("c", folder.path() / "a");
  fs::create_symlink("nowhere", folder.path() / ".d");
  ASSERT_EQ(::mkfifo((folder.path() / "e").c_str(), 0600), 0);
  const std::vector<FolderEntry> entries = list_folder(folder.path());
  ASSERT_EQ(entries.size(), 5U);
  EXPECT_EQ(entries[0].name, ".d");
  EXPECT_EQ(entries[0].mode, 0U);
  EXPECT_TRUE(entries[0].is_hidden());
  EXPECT_TRUE(entries[1].is_folder());
  EXPECT_TRUE(entries[2].is_file());
  EXPECT_EQ(entries[1].id, entries[3].id) << "a link to a folder has the folder's id";
  EXPECT_TRUE(S_ISFIFO(entries[4].mode));
  EXPECT_THROW(list_folder(folder.path() / "none"), Error);
  EXPECT_THROW(list_folder(folder.path() / "b"), Error);
}

TEST(Folder, WithParentsFollowsBothPathsOfALink) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "a" / "b");
  fs::create_directory_symlink("a/b", folder.path() / "link");
  const FileId a = list_folder(folder.path())[0].id, b = list_folder(folder.path() / "a")[0].id;
  const std::vector<FileId> above = with_parents(folder.path() / "link");
  EXPECT_EQ(above.front(), b);
  EXPECT_NE(std::find(above.begin(), above.end(), a), above.end()) << "the parent of the link's target";
  EXPECT_EQ(with_parents(folder.path() / "a" / ".").front(), a);
}

TEST(Folder, AFolderThatDotDotLeavesIsNoParent) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "a" / "b" / "c");
  const FileId a = list_folder(folder.path())[0].id, b = list_folder(folder.path() / "a")[0].id;
  for (const char* path : {"a/b/..", "a/b/../", "a/b/c/../..", "a/b/./c/.././..", "a/../a"}) {
    const std::vector<FileId> above = with_parents(folder.path() / path);
    EXPECT_EQ(above.front(), a) << path;
    EXPECT_EQ(std::count(above.begin(), above.end(), b), 0) << path;
  }
  const std::vector<FileId> of_c = with_parents(folder.path() / "a/../a/b/c");
  EXPECT_NE(std::count(of_c.begin(), of_c.end(), b), 0);
}

}  // namespace
}  // namespace effnet
