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

class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.SECONDS.HOST.PID.N. Throws Error(environment).
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  void scalar(std::string_view tag, std::int64_t step, double value, double wall_seconds);
  void flush();  // to the system; throws Error(environment) if the disk is full

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::report
