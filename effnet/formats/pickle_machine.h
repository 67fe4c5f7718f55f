// The state on which pickle.cc executes opcodes: the input bytes (read forward), the stack with its marks, the memo,
// and the table of values (the result). There is no .cc file, because every opcode is only a few calls of these short
// functions.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/file_kind.h"
#include "effnet/formats/pickle.h"

namespace effnet::formats {

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::span<const std::string_view> known)
      : source_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), known_(known) {
    pickle_.pool = std::make_unique<std::pmr::monotonic_buffer_resource>();
    pickle_.values.emplace_back();
    pickle_.values.emplace_back(false);
    pickle_.values.emplace_back(true);
    pickle_.values.emplace_back(PickleKind::tuple, std::span<const PickleIndex>());
  }

 protected:
  // Limit of pushed values. A checkpoint of the largest EfficientNet with optimiser state pushes about 0.2 million.
  static constexpr std::size_t kMaxValues = std::size_t{4} << 20;
  static constexpr std::string_view kOrderedDict = "collections.OrderedDict";

  // Every table of values begins with these four values.
  static constexpr PickleIndex kNone = 0;
  static constexpr PickleIndex kFalse = 1;
  static constexpr PickleIndex kTrue = 2;
  static constexpr PickleIndex kEmptyTuple = 3;

  Error corrupt(std::string_view what) const {
    return input_error("corrupt pickle: {} (at byte {})", what, opcode_at_);
  }

  // The input, read forward only.
  std::string_view take(std::uint64_t count) {
    if (count > source_.size() - at_) {
      throw corrupt(fmt::format("the data ends early (got {} more bytes, expected {})", source_.size() - at_, count))
          .with_hint(kIncompleteHint);
    }
    const std::string_view taken = source_.substr(at_, count);
    at_ += count;
    return taken;
  }
  template <class Unsigned>
  Unsigned number() {
    Unsigned value;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  std::string_view line() {
    const std::size_t end = source_.find('\n', at_);
    if (end == std::string_view::npos)
      throw corrupt("the data ends early (got no line end)").with_hint(kIncompleteHint);
    const std::string_view taken = source_.substr(at_, end - at_);
    at_ = end + 1;
    return taken;
  }
  template <class Number>
  Number parsed(std::string_view digits) {
    Number value{};
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failure != std::errc() || end != digits.data() + digits.size()) {
      throw corrupt(fmt::format("not a number, or out of range (got {})", in_quotes(digits)));
    }
    return value;
  }

  // The stack. Every push counts towards the limit, also the push of a shared value: a list that has the same None a
  // billion times would exhaust memory, too.
  void push(PickleIndex index) {
    if (++pushes_ > kMaxValues) throw corrupt(fmt::format("more than {} values", kMaxValues));
    stack_.push_back(index);
  }
  void push(PickleValue value) {
    pickle_.values.push_back(std::move(value));
    push(static_cast<PickleIndex>(pickle_.values.size() - 1));
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  void need(std::size_t count) const {
    if (stack_.size() - floor() < count) throw corrupt("too few values on the stack");
  }
  PickleIndex pop() {
    need(1);
    const PickleIndex top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::vector<PickleIndex> pop_last(std::size_t count) {
    need(count);
    std::vector<PickleIndex> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleIndex> pop_mark() {
    if (marks_.empty()) throw corrupt("no mark on the stack");
    auto items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleValue& top() {
    need(1);
    return pickle_.values[stack_.back()];
  }
  void push_fixed(PickleKind kind, const std::vector<PickleIndex>& items) {
    auto* copy =
        static_cast<PickleIndex*>(pickle_.pool->allocate(items.size() * sizeof(PickleIndex), alignof(PickleIndex)));
    std::copy(items.begin(), items.end(), copy);
    push(PickleValue(kind, std::span<const PickleIndex>(copy, items.size())));
  }
  void push_tuple(const std::vector<PickleIndex>& items) {
    if (items.empty()) {
      push(kEmptyTuple);
    } else {
      push_fixed(PickleKind::tuple, items);
    }
  }

  void push_long(std::string_view digits) {  // little-endian two's complement; no bytes mean 0
    if (digits.size() > 8) {
      push(PickleValue(PickleKind::big_integer, digits));
      return;
    }
    std::uint64_t bits = !digits.empty() && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&bits, digits.data(), digits.size());
    push(PickleValue(static_cast<std::int64_t>(bits)));
  }

  std::string_view unescaped(std::string_view word) const {
    if (word.find('\\') != std::string_view::npos) throw corrupt("escapes in a string of protocol 0 are not supported");
    return word;
  }

  void marks_push() {
    if (++pushes_ > kMaxValues) throw corrupt(fmt::format("more than {} values", kMaxValues));
    marks_.push_back(stack_.size());
  }

  std::vector<PickleIndex> pairs(std::vector<PickleIndex> items) const {
    if (items.size() % 2 != 0) throw corrupt("a key without a value");
    return items;
  }

  void append(PickleKind kind, const std::vector<PickleIndex>& items) {
    PickleValue& target = top();
    if (target.is(PickleKind::object)) return;  // the elements of an object that is used as a container are ignored
    if (!target.is(kind)) throw corrupt("elements are added to a value that is not a container");
    auto& elements = *std::get<PickleValue::Growing>(target.data_);
    elements.insert(elements.end(), items.begin(), items.end());
  }

  void remember(std::uint64_t slot) {
    // Python numbers memo entries 0, 1, 2, ... and each takes at least one byte of the file. So a valid number is less
    // than the file's size.
    if (slot >= source_.size() || slot >= kMaxValues) throw corrupt("memo number out of range");
    need(1);
    if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
    if (memo_[slot] == kUnset) ++memo_count_;
    memo_[slot] = stack_.back();
  }
  PickleIndex recall(std::uint64_t slot) const {
    if (slot >= memo_.size() || memo_[slot] == kUnset) throw corrupt("a reference to an unset memo entry");
    return memo_[slot];
  }

  void push_persistent(PickleValue id) {
    push(std::move(id));
    push_fixed(PickleKind::persistent, pop_last(1));
  }

  bool push_known(std::string_view module, std::string_view word) {
    for (const std::string_view name : known_) {
      if (name.size() == module.size() + 1 + word.size() && name.starts_with(module) && name[module.size()] == '.' &&
          name.ends_with(word)) {
        push(PickleValue(PickleKind::global, name));
        return true;
      }
    }
    return false;
  }

  void note_call(const std::vector<PickleIndex>& items) {
    const PickleValue& callable = pickle_[items[0]];
    const PickleValue& arguments = pickle_[items[1]];
    const bool callable_kind = callable.is(PickleKind::global) || callable.is(PickleKind::foreign) ||
                               callable.is(PickleKind::object);  // the result of a call, such as functools.partial
    if (!callable_kind) throw corrupt("a call of a value that is not a function or class");
    if (!arguments.is(PickleKind::tuple)) throw corrupt("a call without a tuple of arguments");
    if (callable.raw() != kOrderedDict) {
      push_fixed(PickleKind::object, items);
      return;
    }
    // Python 3 writes OrderedDict() and fills the dict later with SETITEMS. Python 2 writes the pairs as an argument:
    // OrderedDict([[key, value], ...]).
    std::vector<PickleIndex> dict;
    if (!arguments.items().empty()) {
      for (const PickleIndex pair : pickle_.item(arguments, 0).items()) {
        const auto both = pickle_[pair].items();
        if (both.size() != 2) throw corrupt("an OrderedDict with an element that is not a pair");
        pushes_ += 2;  // a pair may be shared and is copied here, so its two values count as pushes
        if (pushes_ > kMaxValues) throw corrupt(fmt::format("more than {} values", kMaxValues));
        dict.insert(dict.end(), both.begin(), both.end());
      }
    }
    push(PickleValue(PickleKind::dict, std::move(dict)));
  }

  static constexpr PickleIndex kUnset = std::numeric_limits<PickleIndex>::max();

  std::string_view source_;
  std::span<const std::string_view> known_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::size_t pushes_ = 0;
  std::size_t memo_count_ = 0;
  std::vector<PickleIndex> stack_;
  std::vector<std::size_t> marks_;  // height of the stack at each mark
  std::vector<PickleIndex> memo_;
  Pickle pickle_;
};

}  // namespace effnet::formats
