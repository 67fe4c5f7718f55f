#include "effnet/report/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/file.h"

namespace effnet::report {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The test vectors of RFC 3720, B.4, and (for "123456789") the check value that CRC catalogues list.
TEST(Crc32c, MatchesTheVectorsOfTheRfc) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
  EXPECT_EQ(crc32c(std::string(rising.rbegin(), rising.rend())), 0x113FDB5CU);
  const std::string command(
      "\x01\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\0\0\x04\0\0\0\0\x14\0\0\0\x18\x28\0\0\0\0\0\0\0\x02\0\0\0\0\0\0"
      "\0",
      48);
  EXPECT_EQ(crc32c(command), 0xD9963A56U);
}

TEST(TfRecord, HasLengthPayloadAndMaskedCrcs) {
  const std::string record = tf_record("123456789");
  ASSERT_EQ(record.size(), 8 + 4 + 9 + 4U);
  EXPECT_EQ(record.substr(0, 8), std::string("\x09\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 9), "123456789");
  // The CRC E3069283, rotated right by 15 bits, is 2507C60D; plus A282EAD8 it is C78AB0E5. It is stored with the least
  // significant byte first.
  EXPECT_EQ(record.substr(21), "\xe5\xb0\x8a\xc7");
}

TEST(EventWriter, WritesEventsByteForByte) {
  const TemporaryFolder folder;
  std::filesystem::path path;
  {
    EventWriter writer(folder.path());
    path = writer.path();
    EXPECT_THAT(path.filename().string(), StartsWith("events.out.tfevents."));
    writer.scalar("loss/train", 300, 0.5, 2.0);
    writer.flush();
    EXPECT_THAT(read_text(path), HasSubstr("loss/train"));  // already after flush(), before the file is closed
    writer.restart(7, 2.0);
  }
  const std::string text = read_text(path);
  // The first event has wall_time (key 0x09, 8 bytes) and file_version (key 0x1a, length 13, the text).
  EXPECT_EQ(text.substr(12, 1), "\x09");
  EXPECT_EQ(text.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
  // The bytes are: wall_time 2.0; step 300 (0xAC 0x02); a summary of 19 bytes. The summary contains one value of 17
  // bytes: the tag, then 0.5 (0x3f000000).
  const std::string scalar("\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0aloss/train\x15\0\0\0\x3f", 33);
  EXPECT_THAT(text, HasSubstr(tf_record(scalar)));
  const std::string restart("\x09\0\0\0\0\0\0\0\x40\x10\x07\x3a\x02\x08\x01", 15);
  EXPECT_THAT(text, HasSubstr(tf_record(restart)));
  EXPECT_EQ(text.size(), 16 + 24 + tf_record(scalar).size() + tf_record(restart).size());
}

TEST(EventWriter, TwoWritersInTheSameSecondHaveDifferentFiles) {
  const TemporaryFolder folder;
  const EventWriter first(folder.path()), second(folder.path());
  EXPECT_NE(first.path(), second.path());
}

TEST(EventWriter, MissingFolderIsAnEnvironmentErrorWithThePath) {
  try {
    const EventWriter writer("/nonexistent/folder");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/folder/events.out"));
  }
}

}  // namespace
}  // namespace effnet::report
