#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/report/events.h"

namespace effnet::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> steps(const Scalars& scalars, const char* tag) {
  std::vector<std::int64_t> all;
  if (const auto found = scalars.find(tag); found != scalars.end()) {
    for (const ScalarEvent& event : found->second) all.push_back(event.step);
  }
  return all;
}

// A file of EventWriter with three scalars. Its first record is the version.
std::string written() {
  const TemporaryFolder folder;
  EventWriter writer(folder.path());
  writer.scalar("loss", 10, 2.5, 100);
  writer.scalar("lr", 10, 0.125, 100);
  writer.scalar("loss", 300, -1, 101.5);
  writer.flush();
  return read_text(writer.path());
}

Scalars parsed(std::string_view bytes) {
  Scalars scalars;
  parse_events(bytes, "file", scalars);
  return scalars;
}

std::string refusal(std::string_view bytes) {
  try {
    parsed(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

TEST(ReadEvents, GivesWhatWasWritten) {
  const Scalars scalars = parsed(written());
  EXPECT_EQ(scalars.size(), 2U);
  EXPECT_THAT(steps(scalars, "loss"), ElementsAre(10, 300));
  EXPECT_EQ(scalars.at("loss")[0].value, 2.5F);
  EXPECT_EQ(scalars.at("loss")[1].value, -1);
  EXPECT_EQ(scalars.at("loss")[1].wall_seconds, 101.5);
  EXPECT_EQ(scalars.at("lr")[0].value, 0.125F);
}

// A file that is cut at any byte gives the records that are complete.
TEST(ReadEvents, AcceptsATruncatedTail) {
  const std::string whole = written();
  std::size_t before = 0;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Scalars scalars = parsed(std::string_view(whole).substr(0, size));
    std::size_t events = 0;
    for (const auto& [tag, list] : scalars) events += list.size();
    EXPECT_GE(events, before);
    before = events;
  }
  EXPECT_EQ(before, 3U);
}

// After a power cut a file may have its length, but zeros for the bytes that were not written.
TEST(ReadEvents, AcceptsATailOfZeros) {
  const std::string whole = written();
  for (const std::size_t zeros : {1, 11, 12, 16, 4096}) {
    const Scalars scalars = parsed(whole + std::string(zeros, '\0'));
    std::size_t events = 0;
    for (const auto& [tag, list] : scalars) events += list.size();
    EXPECT_EQ(events, 3U) << zeros;
  }
  EXPECT_THAT(refusal(whole + std::string(100, '\0') + "x"), HasSubstr("corrupt record"));
}

// A byte that is changed anywhere in a complete record is found by a checksum, or lengthens the last record.
TEST(ReadEvents, RefusesWrongChecksums) {
  const std::string whole = written();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x10);
    EXPECT_THAT(refusal(wrong), HasSubstr("corrupt record")) << at;
  }
}

TEST(ReadEvents, RefusesMessagesThatAreNotProtobuf) {
  EXPECT_THAT(refusal(tf_record("\xff")), HasSubstr("file: byte 0: not an event"));
  EXPECT_THAT(refusal(tf_record(std::string("\x09\0", 2))), HasSubstr("not an event"));  // 8 bytes are missing
  EXPECT_THAT(refusal(tf_record("\x2a\x05")), HasSubstr("not an event"));                // a summary of 5 bytes
  EXPECT_THAT(refusal(tf_record("\x2a\x02\x0a\x05")), HasSubstr("not an event"));        // inside the summary
  EXPECT_THAT(refusal(tf_record("\x0b")), HasSubstr("not an event"));                    // wire type 3
  EXPECT_THAT(refusal(tf_record(std::string(11, '\xff'))), HasSubstr("not an event"));   // a varint of 11 bytes
  EXPECT_THAT(refusal(tf_record("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), HasSubstr("wrong step (got -1"));
  EXPECT_EQ(refusal(tf_record("")), "no error");
  EXPECT_EQ(refusal(tf_record("\x62\x01x")), "no error");  // field 12: of a later version
}

TEST(ReadEvents, ARestartDiscardsLaterStepsOfEarlierFiles) {
  const TemporaryFolder folder;
  {
    EventWriter first(folder.path());
    for (const int step : {10, 20, 30}) first.scalar("loss", step, 1, 100);
  }
  EventWriter second(folder.path());
  second.restart(20, 200);
  second.scalar("loss", 20, 2, 200);
  second.flush();
  const Scalars scalars = read_events(folder.path());
  EXPECT_THAT(steps(scalars, "loss"), ElementsAre(10, 20));
  EXPECT_EQ(scalars.at("loss")[1].value, 2);
  EXPECT_TRUE(read_events(TemporaryFolder().path()).empty());
}

}  // namespace
}  // namespace effnet::report
