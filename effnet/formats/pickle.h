// Python pickles, parsed and never run: bytes become a table of values, and a call in the file is only noted down.
// What the calls mean (tensors, storages) is the business of pth_state.h.
//
// Source: Python's pickletools.py (opcodes of protocols 0 to 5). Left out, because torch.save writes none of it: the
// extension registry, INST and OBJ, out-of-band buffers, escapes in the quoted strings of protocol 0.
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
  tuple,       // items: the elements (frozensets too)
  list,        // items: the elements (sets too)
  dict,        // items: key, value, key, value, ... as written; collections.OrderedDict too
  global,      // raw(): "module.name", an entry of the known list
  foreign,     // a global that is not known; items: module, name
  object,      // a call that was not made, of whatever; items: callable, arguments
  persistent,  // items: the persistent id
};

// A value is known by its place in the table, so shared values cost nothing, a value may even contain itself, and no
// code (destructors included) recurses over what a file nests.
using PickleIndex = std::uint32_t;

class PickleValue {
 public:
  PickleValue() = default;
  explicit PickleValue(bool value) : kind_(PickleKind::boolean), data_(std::int64_t{value}) {}
  explicit PickleValue(std::int64_t value) : kind_(PickleKind::integer), data_(value) {}
  explicit PickleValue(double value) : kind_(PickleKind::real), data_(value) {}
  PickleValue(PickleKind kind, std::string_view raw) : kind_(kind), data_(raw) {}
  PickleValue(PickleKind kind, std::span<const PickleIndex> items) : kind_(kind), data_(items) {}
  PickleValue(PickleKind kind, std::vector<PickleIndex> items);  // for those that can grow: lists and dicts

  PickleKind kind() const noexcept { return kind_; }
  bool is(PickleKind kind) const noexcept { return kind_ == kind; }
  std::int64_t integer() const;                         // integer or boolean; Error(input) for another kind
  std::string_view text() const;                        // text only; Error(input) for another kind
  std::string_view raw() const noexcept;                // text, bytes, global, big_integer; else empty
  std::span<const PickleIndex> items() const noexcept;  // of the kinds that have them; else empty

 private:
  friend class PickleMachine;
  PickleKind kind_ = PickleKind::none;
  using Growing = std::unique_ptr<std::vector<PickleIndex>>;
  std::variant<std::int64_t, double, std::string_view, std::span<const PickleIndex>, Growing> data_;
};

struct Pickle {
  std::unique_ptr<std::pmr::monotonic_buffer_resource> pool;  // the items of tuples: a byte in a file can make one
  std::deque<PickleValue> values;
  PickleIndex root = 0;
  std::size_t consumed = 0;  // bytes up to and including STOP: another pickle may follow

  const PickleValue& operator[](PickleIndex index) const { return values[index]; }
  const PickleValue& item(const PickleValue& of, std::size_t i) const;           // Error(input) past the end
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;  // the last with this key; or null
};

// Reads one pickle from the front of `bytes`. Texts point into `bytes`, names of globals into `known` ("module.name"):
// both must outlive the result. Any other global is foreign: what is called by it stays an object that says nothing.
// Throws Error(input) for an unknown opcode, a truncated or malformed pickle, or more than 4 Mi values. Memory: at most
// 80 bytes per byte read, and 320 MiB in all (measured: 68, 274 MiB, for empty lists).
Pickle parse_pickle(std::span<const std::byte> bytes, std::span<const std::string_view> known);

}  // namespace effnet::formats
