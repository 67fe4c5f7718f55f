// Reads event files. events.cc lists the fields of the protobuf messages.
#include <bit>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/folder.h"
#include "effnet/base/interrupt.h"
#include "effnet/report/events.h"

namespace effnet::report {
namespace {

namespace fs = std::filesystem;

template <class Integer>
Integer little_endian(std::string_view bytes) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value |= static_cast<Integer>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

// A field of a protobuf message. `number` has the value of a varint or of 4 or 8 bytes, `bytes` that of a text or a
// message.
struct Field {
  std::uint64_t id = 0;
  std::uint64_t number = 0;
  std::string_view bytes;
};

// Reads the fields of a message one by one. All functions return an empty result if the bytes are not protobuf.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }

  std::optional<Field> next() {
    const std::optional<std::uint64_t> key = varint();
    if (!key) return {};
    Field field{*key >> 3, 0, {}};
    switch (*key & 7) {
      case 0: {
        const std::optional<std::uint64_t> value = varint();
        if (!value) return {};
        field.number = *value;
        return field;
      }
      case 1:
        if (!take(8, field.bytes)) return {};
        field.number = little_endian<std::uint64_t>(field.bytes);
        return field;
      case 2: {
        const std::optional<std::uint64_t> length = varint();
        if (!length || !take(*length, field.bytes)) return {};
        return field;
      }
      case 5:
        if (!take(4, field.bytes)) return {};
        field.number = little_endian<std::uint32_t>(field.bytes);
        return field;
      default:
        return {};
    }
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    return {};
  }
  bool take(std::uint64_t count, std::string_view& bytes) {
    if (count > rest_.size()) return false;
    bytes = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(static_cast<std::size_t>(count));
    return true;
  }

  std::string_view rest_;
};

// Calls use(field) for each field. Returns false if the bytes are not protobuf, or if a call returns false.
template <class Use>
bool each_field(std::string_view bytes, Use use) {
  Message message(bytes);
  while (!message.at_end()) {
    const std::optional<Field> field = message.next();
    if (!field || !use(*field)) return false;
  }
  return true;
}

struct Event {
  ScalarEvent at;  // without a value
  bool restart = false;
  std::vector<std::pair<std::string_view, float>> values;  // tag, value
};

bool read_value(std::string_view bytes, Event& event) {
  std::string_view tag;
  std::optional<float> value;
  const bool valid = each_field(bytes, [&](const Field& field) {
    if (field.id == 1) tag = field.bytes;
    if (field.id == 2) value = std::bit_cast<float>(static_cast<std::uint32_t>(field.number));
    return true;
  });
  if (valid && value) event.values.emplace_back(tag, *value);
  return valid;
}

bool read_event(std::string_view bytes, Event& event) {
  return each_field(bytes, [&](const Field& field) {
    if (field.id == 1) event.at.wall_seconds = std::bit_cast<double>(field.number);
    if (field.id == 2) event.at.step = static_cast<std::int64_t>(field.number);
    if (field.id == 5)
      return each_field(field.bytes, [&](const Field& one) { return one.id != 1 || read_value(one.bytes, event); });
    if (field.id == 7) {
      return each_field(field.bytes, [&](const Field& one) {
        event.restart = event.restart || (one.id == 1 && one.number == 1);
        return true;
      });
    }
    return true;
  });
}

void add(const Event& event, Scalars& scalars) {
  for (const auto& [tag, value] : event.values) {
    auto found = scalars.find(tag);
    if (found == scalars.end()) found = scalars.emplace(tag, std::vector<ScalarEvent>()).first;
    found->second.push_back({event.at.step, value, event.at.wall_seconds});
  }
}

}  // namespace

void parse_events(std::string_view bytes, std::string_view source, Scalars& scalars) {
  constexpr std::size_t kHeader = 12, kFooter = 4;
  bool restarted = false;  // a writer marks a restart once, at its start
  for (std::size_t at = 0; bytes.size() - at >= kHeader;) {
    check_interrupt();
    const auto fault = [&](std::string_view what) { return input_error("{}: byte {}: {}", source, at, what); };
    if (bytes.find_first_not_of('\0', at) == std::string_view::npos) return;  // bytes that a power cut has lost
    const std::string_view length = bytes.substr(at, 8);
    if (masked_crc(length) != little_endian<std::uint32_t>(bytes.substr(at + 8, 4)))
      throw fault("corrupt record (the checksum of its length is wrong)");
    const auto size = little_endian<std::uint64_t>(length);
    const std::size_t left = bytes.size() - at - kHeader;
    if (left < kFooter || size > left - kFooter) return;  // the last record is not complete
    const std::string_view payload = bytes.substr(at + kHeader, static_cast<std::size_t>(size));
    const std::size_t end = at + kHeader + payload.size();
    if (masked_crc(payload) != little_endian<std::uint32_t>(bytes.substr(end, kFooter)))
      throw fault("corrupt record (the checksum of its content is wrong)");
    Event event;
    if (!read_event(payload, event)) throw fault("not an event (the record is not a protobuf message)");
    if (event.at.step < 0) throw fault(fmt::format("wrong step (got {}, expected 0 or more)", event.at.step));
    if (event.restart && !restarted) {
      restarted = true;
      for (auto& [tag, events] : scalars)
        std::erase_if(events, [&](const ScalarEvent& one) { return one.step >= event.at.step; });
    }
    add(event, scalars);
    at = end + kFooter;
  }
}

Scalars read_events(const fs::path& folder) {
  Scalars scalars;
  for (const FolderEntry& entry : list_folder(folder)) {
    if (!entry.name.starts_with("events.out.tfevents.")) continue;
    const fs::path file = folder / entry.name;
    const MappedFile mapped(file);
    const std::span<const std::byte> bytes = mapped.bytes();
    parse_events({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string(), scalars);
  }
  return scalars;
}

}  // namespace effnet::report
