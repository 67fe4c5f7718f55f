// What runs a pickle's opcodes (pickle.cc) in place of Python's machine: the bytes, read forwards, the stack with its
// marks, the memo, and the table of values that comes out. Header only: every opcode is a few calls of these.
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
#include "effnet/formats/pickle.h"
#include "effnet/formats/what_is.h"

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
  // A checkpoint of the largest EfficientNet with optimiser state pushes about 0.2 million values.
  static constexpr std::size_t kMostValues = std::size_t{4} << 20;
  static constexpr std::string_view kOrderedDict = "collections.OrderedDict";

  // Values that every pickle shares.
  static constexpr PickleIndex kNone = 0;
  static constexpr PickleIndex kFalse = 1;
  static constexpr PickleIndex kTrue = 2;
  static constexpr PickleIndex kEmptyTuple = 3;

  Error broken(std::string_view what) const { return input_error("broken pickle: {} (at byte {})", what, opcode_at_); }

  // The source, forwards only.
  std::string_view take(std::uint64_t count) {
    if (count > source_.size() - at_) {
      throw broken(fmt::format("it ends early (got {} bytes, expected {} more)", source_.size() - at_, count))
          .with_hint(kCutOff);
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
    if (end == std::string_view::npos) throw broken("it ends early (got no end of a line)").with_hint(kCutOff);
    const std::string_view taken = source_.substr(at_, end - at_);
    at_ = end + 1;
    return taken;
  }
  template <class Number>
  Number parsed(std::string_view digits) {
    Number value{};
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (failure != std::errc() || end != digits.data() + digits.size()) {
      throw broken(fmt::format("{} is not a number that fits", in_quotes(digits)));
    }
    return value;
  }

  // The stack. Every push counts, shared values too: a list of a billion times the same None is a bomb as well.
  void push(PickleIndex index) {
    if (++pushes_ > kMostValues) throw broken(fmt::format("more than {} values", kMostValues));
    stack_.push_back(index);
  }
  void push(PickleValue value) {
    pickle_.values.push_back(std::move(value));
    push(static_cast<PickleIndex>(pickle_.values.size() - 1));
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  void need(std::size_t count) const {
    if (stack_.size() - floor() < count) throw broken("the stack is empty");
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
    if (marks_.empty()) throw broken("there is no mark");
    auto items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleValue& top() {
    need(1);
    return pickle_.values[stack_.back()];
  }
  void push_fixed(PickleKind kind, const std::vector<PickleIndex>& items) {
    auto* held =
        static_cast<PickleIndex*>(pickle_.pool->allocate(items.size() * sizeof(PickleIndex), alignof(PickleIndex)));
    std::copy(items.begin(), items.end(), held);
    push(PickleValue(kind, std::span<const PickleIndex>(held, items.size())));
  }
  void push_tuple(const std::vector<PickleIndex>& items) {
    if (items.empty()) {
      push(kEmptyTuple);
    } else {
      push_fixed(PickleKind::tuple, items);
    }
  }

  void push_long(std::string_view digits) {  // little-endian two's complement, the empty one is 0
    if (digits.size() > 8) {
      push(PickleValue(PickleKind::big_integer, digits));
      return;
    }
    std::uint64_t bits = !digits.empty() && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&bits, digits.data(), digits.size());
    push(PickleValue(static_cast<std::int64_t>(bits)));
  }

  std::string_view unescaped(std::string_view word) const {
    if (word.find('\\') != std::string_view::npos) throw broken("escapes in a string of protocol 0 are not supported");
    return word;
  }

  void marks_push() {
    if (++pushes_ > kMostValues) throw broken(fmt::format("more than {} values", kMostValues));
    marks_.push_back(stack_.size());
  }

  std::vector<PickleIndex> pairs(std::vector<PickleIndex> items) const {
    if (items.size() % 2 != 0) throw broken("a key without a value");
    return items;
  }

  void append(PickleKind kind, const std::vector<PickleIndex>& items) {
    PickleValue& target = top();
    if (target.is(PickleKind::object)) return;  // a class that acts as a container: what it holds is not ours
    if (!target.is(kind)) throw broken("elements are put into something that holds none");
    auto& held = *std::get<PickleValue::Growing>(target.data_);
    held.insert(held.end(), items.begin(), items.end());
  }

  void remember(std::uint64_t slot) {
    // Python numbers them 0, 1, 2, ... and an entry takes at least a byte.
    if (slot >= source_.size() || slot >= kMostValues) throw broken("memo number out of range");
    need(1);
    if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
    if (memo_[slot] == kUnset) ++remembered_;
    memo_[slot] = stack_.back();
  }
  PickleIndex recall(std::uint64_t slot) const {
    if (slot >= memo_.size() || memo_[slot] == kUnset) throw broken("a reference to nothing");
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
    const bool may_be = callable.is(PickleKind::global) || callable.is(PickleKind::foreign) ||
                        callable.is(PickleKind::object);  // what a call gives may be called: functools.partial
    if (!may_be) throw broken("a call of something that is not a function or class");
    if (!arguments.is(PickleKind::tuple)) throw broken("a call without a tuple of arguments");
    if (callable.raw() != kOrderedDict) {
      push_fixed(PickleKind::object, items);
      return;
    }
    // OrderedDict(): filled by SETITEMS later. OrderedDict([[key, value], ...]): Python 2's way.
    std::vector<PickleIndex> dict;
    if (!arguments.items().empty()) {
      for (const PickleIndex pair : pickle_.item(arguments, 0).items()) {
        const auto both = pickle_[pair].items();
        if (both.size() != 2) throw broken("an OrderedDict of something else than pairs");
        pushes_ += 2;  // pairs may be shared, so they count like pushes
        if (pushes_ > kMostValues) throw broken(fmt::format("more than {} values", kMostValues));
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
  std::size_t remembered_ = 0;
  std::vector<PickleIndex> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::vector<PickleIndex> memo_;
  Pickle pickle_;
};

}  // namespace effnet::formats
