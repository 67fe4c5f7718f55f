// Parses Python pickles without executing them. The bytes become a table of values; a call in the file is recorded as a
// value. pth_state.h interprets the calls (tensors, storages).
//
// Source: Python's pickletools.py (opcodes of protocols 0 to 5). Not supported, because torch.save never writes them:
// the extension registry, INST and OBJ, out-of-band buffers, escapes in the quoted strings of protocol 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace effnet::formats {

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,  // does not fit int64; raw() holds its little-endian two's complement bytes
  real,
  bytes,
  text,
  tuple,       // items: the elements; also a frozenset
  list,        // items: the elements; also a set
  dict,        // items: key, value, key, value, ... in file order; also collections.OrderedDict
  global,      // raw(): "module.name", an entry of the list of known globals (parse_pickle)
  foreign,     // a global that is not in that list; items: module, name
  object,      // a call, recorded and not executed; items: callable, arguments
  persistent,  // items: the persistent id
};

// A value is identified by its index in the table. Therefore shared values cost nothing, a value may contain itself,
// and no code (destructors included) recurses over nested values.
using PickleIndex = std::uint32_t;

class PickleValue {
 public:
  PickleValue() = default;
  explicit PickleValue(bool value) : kind_(PickleKind::boolean), data_(std::int64_t{value}) {}
  explicit PickleValue(std::int64_t value) : kind_(PickleKind::integer), data_(value) {}
  explicit PickleValue(double value) : kind_(PickleKind::real), data_(value) {}
  PickleValue(PickleKind kind, std::string_view raw) : kind_(kind), data_(raw) {}
  PickleValue(PickleKind kind, std::span<const PickleIndex> items) : kind_(kind), data_(items) {}
  PickleValue(PickleKind kind, std::vector<PickleIndex> items);  // for kinds that can grow: list and dict

  PickleKind kind() const noexcept { return kind_; }
  bool is(PickleKind kind) const noexcept { return kind_ == kind; }
  std::int64_t integer() const;                         // integer or boolean; else throws Error(input)
  std::string_view text() const;                        // text; else throws Error(input)
  std::string_view raw() const noexcept;                // text, bytes, global, big_integer; else empty
  std::span<const PickleIndex> items() const noexcept;  // for kinds with items; else empty

 private:
  friend class PickleMachine;
  PickleKind kind_ = PickleKind::none;
  using Growing = std::unique_ptr<std::vector<PickleIndex>>;
  std::variant<std::int64_t, double, std::string_view, std::span<const PickleIndex>, Growing> data_;
};

struct Pickle {
  // Memory of tuple items. It is one pool, because a single byte of the file can create a tuple.
  std::unique_ptr<std::pmr::monotonic_buffer_resource> pool;
  std::deque<PickleValue> values;
  PickleIndex root = 0;
  std::size_t consumed = 0;  // bytes up to and including STOP; another pickle may follow

  const PickleValue& operator[](PickleIndex index) const { return values[index]; }
  const PickleValue& item(const PickleValue& of, std::size_t i) const;           // throws Error(input) past the end
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;  // last value with this key, or null
};

// Reads one pickle from the start of `bytes`. `known` lists the known globals as "module.name". Texts point into
// `bytes`, names of known globals point into `known`; both must outlive the result. A global that is not in `known` has
// the kind foreign; a call of it has the kind object.
// Throws Error(input) for an unknown opcode, a truncated or malformed pickle, or more than 4 Mi values. Memory: at most
// 80 bytes per byte read and 320 MiB in total (measured for a pickle of empty lists: 68 bytes and 274 MiB).
Pickle parse_pickle(std::span<const std::byte> bytes, std::span<const std::string_view> known);

}  // namespace effnet::formats
