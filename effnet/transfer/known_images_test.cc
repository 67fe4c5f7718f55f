#include "effnet/transfer/known_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/folder.h"

namespace effnet::transfer {
namespace {

using data::Part;
using testing::ElementsAre;
using testing::HasSubstr;

data::ImageContent content(std::uint64_t digest) {
  data::ImageContent one;
  one.digest = {digest, ~digest};
  one.hash = {digest * 3, digest * 5};
  one.thumbnail.fill(static_cast<std::uint8_t>(digest));
  return one;
}

class KnownImagesTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "contents.safetensors"; }

 private:
  TemporaryFolder folder_;
};

TEST_F(KnownImagesTest, ReadsWhatWasWritten) {
  data::ImageContent corrupt;
  corrupt.why = "cut off";
  write_known_images(file(), {content(1), corrupt, content(~0ULL)}, {Part::val, Part::train, Part::test});
  const KnownImages known = read_known_images(file());
  EXPECT_THAT(known.parts, ElementsAre(Part::val, Part::test));
  ASSERT_EQ(known.contents.size(), 2U);
  EXPECT_EQ(known.contents[1].digest, content(~0ULL).digest);
  EXPECT_EQ(known.contents[1].hash, content(~0ULL).hash);
  EXPECT_EQ(known.contents[0].thumbnail, content(1).thumbnail);
}

TEST_F(KnownImagesTest, AnEmptyRunIsAFile) {
  write_known_images(file(), {}, {});
  EXPECT_TRUE(read_known_images(file()).parts.empty());
}

TEST_F(KnownImagesTest, RefusesOtherFiles) {
  const auto error = [&] {
    try {
      read_known_images(file());
      return std::string("no error");
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::input);
      return std::string(e.what());
    }
  };
  write_text(file(), "text");
  EXPECT_THAT(error(), HasSubstr("contents.safetensors"));
  // The header of a file with one tensor of another type, and one without the other tensors.
  for (const std::string type : {"F32", "U8"}) {
    const std::string header =
        R"({"part":{"dtype":")" + type + R"(","shape":[)" + (type == "F32" ? "1" : "4") + R"(],"data_offsets":[0,4]}})";
    write_text(file(), std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "abcd");
    EXPECT_THAT(error(), HasSubstr("contents.safetensors"));
  }
}

TEST(KeepParts, KnownByDigestOrAsNearDuplicate) {
  const KnownImages known{{content(1), content(2), content(3)}, {Part::val, Part::test, Part::train}};
  const std::vector<data::ImageContent> now{content(2), content(9), content(8), content(7)};
  // 9 is a near-duplicate of the known image 1; 8 of 2 and 3, and 3 is a training image; 7 is new.
  const data::ImageGroups groups{{0, 5}, {1, 4}, {2, 5, 6}};
  std::vector<Part> parts(4, Part::val);
  const KeptParts kept = keep_parts(now, known, groups, {true, true, true, true}, parts);
  EXPECT_THAT(parts, ElementsAre(Part::test, Part::val, Part::train, Part::val));
  EXPECT_EQ(kept.known, 3);
  EXPECT_EQ(kept.seen_val + kept.seen_test, 0);
}

TEST(KeepParts, PartsThatWereNotChosenStay) {
  const KnownImages known{{content(1), content(1), content(2)}, {Part::test, Part::train, Part::val}};
  std::vector<Part> parts{Part::test, Part::test};
  const KeptParts kept = keep_parts({content(1), content(2)}, known, {}, {false, false}, parts);
  EXPECT_THAT(parts, ElementsAre(Part::test, Part::test));
  EXPECT_EQ(kept.known, 2);
  EXPECT_EQ(kept.seen_val, 0);
  EXPECT_EQ(kept.seen_test, 1) << "one of the images with this digest was a training image";
}

TEST(EarlierRuns, TheirImagesAreKept) {
  const KnownImages earlier{{content(1), content(2), content(3)}, {Part::train, Part::val, Part::test}};
  EXPECT_EQ(used_by(earlier, false).contents.size(), 2U);
  const KnownImages used = used_by(earlier, true);
  EXPECT_THAT(used.parts, ElementsAre(Part::train, Part::train, Part::train));
  // 1 is in the same part of both runs, 2 has changed its part, 3 is only in the earlier run.
  data::ImageContent corrupt;
  corrupt.why = "cut off";
  const KnownImages both =
      with_earlier({{content(1), content(2), corrupt}, {Part::train, Part::test, Part::val}}, earlier);
  ASSERT_EQ(both.contents.size(), 5U);
  EXPECT_EQ(both.contents[3].digest, content(2).digest);
  EXPECT_EQ(both.contents[4].digest, content(3).digest);
  EXPECT_THAT(both.parts, ElementsAre(Part::train, Part::test, Part::val, Part::val, Part::test));
  EXPECT_EQ(used_images({content(1), content(2), content(3)}, both, false), 2) << "2 was used by the earlier run";
}

TEST(EarlierRuns, TestImagesThatTheyUsedAreCounted) {
  const KnownImages known{{content(1), content(2), content(3)}, {Part::train, Part::val, Part::test}};
  std::vector<Part> parts{Part::test, Part::test, Part::test, Part::test};
  const KeptParts kept =
      keep_parts({content(1), content(2), content(3), content(4)}, known, {}, {false, false, false, false}, parts);
  EXPECT_EQ(kept.used_test, 2);
  EXPECT_EQ(kept.seen_test, 1);
  parts = {Part::val};
  const KeptParts of_val = keep_parts({content(1)}, known, {}, {false}, parts);
  EXPECT_EQ(of_val.used_test, 0) << "an image of val";
  EXPECT_EQ(of_val.seen_val, 1);
}

TEST(UsedImages, AreThoseOfTrainAndVal) {
  data::ImageContent corrupt;
  corrupt.why = "cut off";
  const KnownImages known{{content(1), content(2), content(3)}, {Part::train, Part::val, Part::test}};
  const std::vector<data::ImageContent> now{content(1), content(2), content(3), content(9), corrupt};
  EXPECT_EQ(used_images(now, known, false), 2);
  EXPECT_EQ(used_images(now, known, true), 3) << "the final model was trained on test too";
  EXPECT_EQ(used_images({}, known, true), 0);
  EXPECT_EQ(used_images(now, {}, true), 0);
}

}  // namespace
}  // namespace effnet::transfer
