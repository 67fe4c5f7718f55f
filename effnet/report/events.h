// Writes and reads TensorBoard event files with scalars over steps. The format: Event protobuf messages in TFRecord
// frames (length, masked CRC-32C, payload).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::report {

// Not thread-safe.
class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.SECONDS.HOST.PID.N. Throws Error(environment).
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();  // flushes, but ignores write errors: to detect them, call flush() before
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // The value is stored as float32, as the format requires.
  void scalar(std::string_view tag, std::int64_t step, double value, double wall_seconds);
  // Tells TensorBoard to discard the events of `step` and later steps in the folder's other files: the run resumes from
  // an earlier checkpoint.
  void restart(std::int64_t step, double wall_seconds);
  void flush();  // writes the buffer to the file; throws Error(environment), for example if the disk is full
  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ScalarEvent {
  std::int64_t step = 0;
  float value = 0;
  double wall_seconds = 0;  // since 1970
};
using Scalars = std::map<std::string, std::vector<ScalarEvent>, std::less<>>;  // by tag, in the order of the file

// Reads the scalars of an event file and appends them to `scalars`. The first event of EventWriter::restart() in the
// file discards the events of its step and later steps that `scalars` has so far. Other kinds of events and values are
// skipped. A last record that is not complete is ignored, because a process that is killed leaves such a record; so are
// zeros at the end, which some file systems leave after a power cut. Throws Error(input) with the offset for a wrong
// checksum, for a message that is not protobuf, and for a negative step. Needs memory for at most a small multiple of
// the file's size.
void parse_events(std::string_view bytes, std::string_view source, Scalars& scalars);
// Reads all event files of a folder, in the order of their names, which begin with the time of creation.
Scalars read_events(const std::filesystem::path& folder);

// Parts of the format, declared here for tests. crc32c() is CRC-32C (Castagnoli; RFC 3720, B.4). tf_record() returns
// one record: the length of `payload` (8 bytes, little-endian), the masked CRC of the length (4 bytes), `payload`, and
// the masked CRC of `payload` (4 bytes). Masking rotates the CRC right by 15 bits and adds 0xa282ead8.
std::uint32_t crc32c(std::string_view bytes);
std::string tf_record(std::string_view payload);
std::uint32_t masked_crc(std::string_view bytes);

}  // namespace effnet::report
