// TensorBoard event files: scalars over steps. The format is TFRecord framing (length, masked CRC-32C, payload) of
// Event protobuf messages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace effnet::report {

// Not for several threads at once.
class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.SECONDS.HOST.PID.N. Throws Error(environment).
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();  // flushes; what cannot be written then is lost silently, so call flush() before
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // The value is kept as float32, as TensorBoard's format has it.
  void scalar(std::string_view tag, std::int64_t step, double value, double wall_seconds);
  // What other files of this folder say of `step` and later steps is void: the run goes on from a checkpoint before it.
  void restart(std::int64_t step, double wall_seconds);
  void flush();  // to the system; throws Error(environment) if the disk is full
  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The parts of the format, for its tests. CRC-32C (Castagnoli; RFC 3720, B.4) and one framed record: length (8 bytes,
// little-endian), the length's masked CRC (4), `payload`, its masked CRC (4); masked: turned right by 15, + 0xa282ead8.
std::uint32_t crc32c(std::string_view bytes);
std::string tf_record(std::string_view payload);

}  // namespace effnet::report
