#include "effnet/train/run/data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/file.h"

namespace effnet::train {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::vector<std::string> notes_of(std::vector<Override> settings, const std::filesystem::path& folder) {
  settings.push_back({"data.holdout", "2"});
  settings.push_back({"train.batch", "2"});
  return open_run_data(parse_recipe("", "defaults", settings), folder, {8, 8}).notes;
}

TEST(RunData, NotesThatHoldoutHasNoEffect) {
  EXPECT_THAT(notes_of({{"data.synthetic", "8"}, {"model.classes", "3"}}, {}),
              Contains(HasSubstr("data.holdout has no effect with data.synthetic")));

  const TemporaryFolder folder;  // the files are not decoded here
  std::string split = "file,class,split\n";
  for (const char* name : {"cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"}) {
    make_folders((folder.path() / "images" / name).parent_path());
    write_text(folder.path() / "images" / name, "x");
    split += std::string(name) + "," + std::string(name).substr(0, 3) + ",train\n";
  }
  write_text(folder.path() / "split.csv", split);
  EXPECT_THAT(notes_of({{"data.split", (folder.path() / "split.csv").string()}}, folder.path() / "images"),
              Contains(HasSubstr("data.holdout has no effect with data.split")));
}

}  // namespace
}  // namespace effnet::train
