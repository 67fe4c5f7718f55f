// The protobuf messages are encoded by hand, because few fields are used: this needs less code than generated classes
// and the protobuf library. The field numbers are those of TensorFlow's event.proto and summary.proto:
//   Event    1 wall_time (double), 2 step (int64), 3 file_version (string), 5 summary (Summary), 7 session_log
//   Summary  1 value (repeated Value);  Value  1 tag (string), 2 simple_value (float)
//   SessionLog  1 status (1 = START: TensorBoard discards earlier events of this and later steps)
#include "effnet/report/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/base/process.h"

namespace effnet::report {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

// Little-endian byte order, as in protobuf and TFRecord.
template <class Integer>
void append_little_endian(std::string& out, Integer value) {
  for (std::size_t i = 0; i < sizeof(value); ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}
void append_key(std::string& out, unsigned field, Wire wire) {
  append_varint(out, field << 3 | static_cast<unsigned>(wire));
}
void append_text(std::string& out, unsigned field, std::string_view text) {
  append_key(out, field, Wire::bytes);
  append_varint(out, text.size());
  out += text;
}

std::string event(double wall_seconds, std::int64_t step) {
  std::string out;
  append_key(out, 1, Wire::fixed64);
  append_little_endian(out, std::bit_cast<std::uint64_t>(wall_seconds));
  if (step != 0) {  // 0 is the default of an absent field
    append_key(out, 2, Wire::varint);
    append_varint(out, static_cast<std::uint64_t>(step));
  }
  return out;
}

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    // 0x82F63B78 is the polynomial of CRC-32C with its bits reversed.
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

std::string host_in_file_name() {
  std::string host = host_name();
  std::ranges::replace(host, '/', '_');
  return host;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U; }

std::string tf_record(std::string_view payload) {
  std::string out;
  append_little_endian(out, std::uint64_t{payload.size()});
  append_little_endian(out, masked_crc(out));
  out += payload;
  append_little_endian(out, masked_crc(payload));
  return out;
}

struct EventWriter::Impl {
  std::filesystem::path path;
  int descriptor = -1;
  std::string buffer;

  Error write_error() const { return environment_error("{}: cannot write ({})", path.string(), std::strerror(errno)); }

  void add(std::string_view payload) {
    buffer += tf_record(payload);
    if (buffer.size() >= kBufferBytes) flush();
  }

  void flush() {
    while (!buffer.empty()) {
      const ssize_t written = ::write(descriptor, buffer.data(), buffer.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw write_error();
      buffer.erase(0, static_cast<std::size_t>(written));
    }
  }
};

EventWriter::EventWriter(const std::filesystem::path& folder) : impl_(std::make_unique<Impl>()) {
  static std::atomic<int> count{0};  // distinguishes writers that one process creates in the same second
  const double now = now_seconds();
  impl_->path = folder / fmt::format("events.out.tfevents.{}.{}.{}.{}", static_cast<std::int64_t>(now),
                                     host_in_file_name(), ::getpid(), count++);
  impl_->descriptor = ::open(impl_->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (impl_->descriptor < 0) throw impl_->write_error();
  std::string version = event(now, 0);
  append_text(version, 3, "brain.Event:2");
  impl_->add(version);
}

EventWriter::~EventWriter() {
  try {
    impl_->flush();
  } catch (const Error&) {  // a destructor must not throw
  }
  ::close(impl_->descriptor);
}

void EventWriter::scalar(std::string_view tag, std::int64_t step, double value, double wall_seconds) {
  std::string entry;
  append_text(entry, 1, tag);
  append_key(entry, 2, Wire::fixed32);
  append_little_endian(entry, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  std::string summary;
  append_text(summary, 1, entry);
  std::string out = event(wall_seconds, step);
  append_text(out, 5, summary);
  impl_->add(out);
}

void EventWriter::restart(std::int64_t step, double wall_seconds) {
  std::string log;
  append_key(log, 1, Wire::varint);
  append_varint(log, 1);
  std::string out = event(wall_seconds, step);
  append_text(out, 7, log);
  impl_->add(out);
}

void EventWriter::flush() { impl_->flush(); }

const std::filesystem::path& EventWriter::path() const { return impl_->path; }

}  // namespace effnet::report
