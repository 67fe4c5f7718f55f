#include "effnet/formats/pickle.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::formats {
namespace {

// A checkpoint of the largest EfficientNet with optimiser state pushes about 0.2 million values.
constexpr std::size_t kMostValues = std::size_t{4} << 20;
constexpr std::string_view kOrderedDict = "collections.OrderedDict";

// Values that every pickle shares.
constexpr PickleIndex kNone = 0;
constexpr PickleIndex kFalse = 1;
constexpr PickleIndex kTrue = 2;
constexpr PickleIndex kEmptyTuple = 3;

}  // namespace

PickleValue::PickleValue(PickleKind kind, std::vector<PickleIndex> items)
    : kind_(kind), data_(std::make_unique<std::vector<PickleIndex>>(std::move(items))) {}

std::int64_t PickleValue::integer() const {
  if (kind_ != PickleKind::integer && kind_ != PickleKind::boolean) {
    throw input_error("pickle holds another kind of value where an integer was expected");
  }
  return std::get<std::int64_t>(data_);
}

std::string_view PickleValue::text() const {
  if (kind_ != PickleKind::text) {
    throw input_error("pickle holds another kind of value where a text was expected");
  }
  return std::get<std::string_view>(data_);
}

std::string_view PickleValue::raw() const noexcept {
  const auto* held = std::get_if<std::string_view>(&data_);
  return held != nullptr ? *held : std::string_view();
}

std::span<const PickleIndex> PickleValue::items() const noexcept {
  if (const auto* fixed = std::get_if<std::span<const PickleIndex>>(&data_)) return *fixed;
  if (const auto* growing = std::get_if<Growing>(&data_)) return **growing;
  return {};
}

const PickleValue& Pickle::item(const PickleValue& of, std::size_t i) const {
  const auto items = of.items();
  if (i >= items.size()) throw input_error("pickle: too few elements (got {}, expected more)", items.size());
  return values[items[i]];
}

const PickleValue* Pickle::find(const PickleValue& dict, std::string_view key) const {
  if (!dict.is(PickleKind::dict)) return nullptr;
  const auto items = dict.items();
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = values[items[i - 2]];
    if (candidate.is(PickleKind::text) && candidate.raw() == key) return &values[items[i - 1]];
  }
  return nullptr;
}

class PickleParser {
 public:
  PickleParser(std::span<const std::byte> bytes, std::span<const std::string_view> allowed)
      : source_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), allowed_(allowed) {
    pickle_.pool = std::make_unique<std::pmr::monotonic_buffer_resource>();
    pickle_.values.emplace_back();
    pickle_.values.emplace_back(false);
    pickle_.values.emplace_back(true);
    pickle_.values.emplace_back(PickleKind::tuple, std::span<const PickleIndex>());
  }

  Pickle parse() {
    for (;;) {
      opcode_at_ = at_;
      const char opcode = take(1)[0];
      if (opcode == '.') break;
      if (!constant(opcode) && !text(opcode) && !container(opcode) && !memo(opcode) && !call(opcode)) {
        throw broken(fmt::format("opcode 0x{:02x} is not one that torch.save writes",
                                 static_cast<unsigned>(static_cast<unsigned char>(opcode))));
      }
    }
    pickle_.root = pop();
    pickle_.consumed = at_;
    return std::move(pickle_);
  }

 private:
  Error broken(std::string_view what) const { return input_error("broken pickle: {} (at byte {})", what, opcode_at_); }

  // The source, forwards only.
  std::string_view take(std::uint64_t count) {
    if (count > source_.size() - at_) {
      throw broken(fmt::format("it ends early (got {} bytes, expected {} more)", source_.size() - at_, count));
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
    if (end == std::string_view::npos) throw broken("a line does not end");
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

  bool constant(char opcode) {
    switch (opcode) {
      case '\x80': {  // PROTO
        const auto version = number<std::uint8_t>();
        if (version > 5) throw broken(fmt::format("unknown protocol (got {}, expected 0 to 5)", version));
        return true;
      }
      case '\x95':  // FRAME: the bytes follow in place, so only its length is checked
        if (const auto length = number<std::uint64_t>(); length > source_.size() - at_) {
          throw broken("a frame is longer than the file");
        }
        return true;
      case 'N':
        push(kNone);
        return true;
      case '\x88':
        push(kTrue);
        return true;
      case '\x89':
        push(kFalse);
        return true;
      case 'K':
        push(PickleValue(std::int64_t{number<std::uint8_t>()}));
        return true;  // BININT1
      case 'M':
        push(PickleValue(std::int64_t{number<std::uint16_t>()}));
        return true;  // BININT2
      case 'J':
        push(PickleValue(std::int64_t{number<std::int32_t>()}));
        return true;  // BININT
      case 'I': {     // INT; protocols 0 and 1 write booleans as 00 and 01
        const std::string_view digits = line();
        if (digits == "00" || digits == "01") {
          push(digits == "01" ? kTrue : kFalse);
        } else {
          push(PickleValue(parsed<std::int64_t>(digits)));
        }
        return true;
      }
      case 'L': {  // LONG
        std::string_view digits = line();
        if (digits.ends_with('L')) digits.remove_suffix(1);
        push(PickleValue(parsed<std::int64_t>(digits)));
        return true;
      }
      case '\x8a':
        push_long(take(number<std::uint8_t>()));
        return true;  // LONG1
      case '\x8b': {  // LONG4
        const auto length = number<std::int32_t>();
        if (length < 0) throw broken("an integer has a negative length");
        push_long(take(static_cast<std::uint64_t>(length)));
        return true;
      }
      case 'F':
        push(PickleValue(parsed<double>(line())));
        return true;  // FLOAT
      case 'G': {     // BINFLOAT, big-endian
        std::uint64_t bits = 0;
        for (const char byte : take(8)) bits = (bits << 8) | static_cast<unsigned char>(byte);
        push(PickleValue(std::bit_cast<double>(bits)));
        return true;
      }
      default:
        return false;
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

  bool text(char opcode) {
    const auto push_raw = [this](PickleKind kind, std::uint64_t length) { push(PickleValue(kind, take(length))); };
    switch (opcode) {
      case 'X':
        push_raw(PickleKind::text, number<std::uint32_t>());
        return true;  // BINUNICODE
      case '\x8c':
        push_raw(PickleKind::text, number<std::uint8_t>());
        return true;  // SHORT_BINUNICODE
      case '\x8d':
        push_raw(PickleKind::text, number<std::uint64_t>());
        return true;  // BINUNICODE8
      case 'U':
        push_raw(PickleKind::text, number<std::uint8_t>());
        return true;  // SHORT_BINSTRING (Python 2's str)
      case 'T':
        push_raw(PickleKind::text, number<std::uint32_t>());
        return true;  // BINSTRING
      case 'C':
        push_raw(PickleKind::bytes, number<std::uint8_t>());
        return true;  // SHORT_BINBYTES
      case 'B':
        push_raw(PickleKind::bytes, number<std::uint32_t>());
        return true;  // BINBYTES
      case '\x8e':    // BINBYTES8
      case '\x96':
        push_raw(PickleKind::bytes, number<std::uint64_t>());
        return true;  // BYTEARRAY8
      case 'V':
        push(PickleValue(PickleKind::text, unescaped(line())));
        return true;  // UNICODE
      case 'S': {     // STRING, as Python quotes it
        const std::string_view word = line();
        if (word.size() < 2 || (word[0] != '\'' && word[0] != '"') || word.back() != word[0]) {
          throw broken("a string without its quotes");
        }
        push(PickleValue(PickleKind::text, unescaped(word.substr(1, word.size() - 2))));
        return true;
      }
      default:
        return false;
    }
  }

  std::string_view unescaped(std::string_view word) const {
    if (word.find('\\') != std::string_view::npos) throw broken("escapes in a string of protocol 0 are not supported");
    return word;
  }

  bool container(char opcode) {
    switch (opcode) {
      case '(':
        marks_push();
        return true;
      case '0':  // POP
        if (stack_.size() > floor()) {
          stack_.pop_back();
        } else {
          pop_mark();
        }
        return true;
      case '1':
        pop_mark();
        return true;  // POP_MARK
      case '2':       // DUP
        need(1);
        push(stack_.back());
        return true;
      case ')':
        push(kEmptyTuple);
        return true;
      case 't':
        push_tuple(pop_mark());
        return true;
      case '\x85':
        push_tuple(pop_last(1));
        return true;
      case '\x86':
        push_tuple(pop_last(2));
        return true;
      case '\x87':
        push_tuple(pop_last(3));
        return true;
      case '\x91':
        push_tuple(pop_mark());
        return true;  // FROZENSET
      case ']':       // EMPTY_LIST
      case '\x8f':
        push(PickleValue(PickleKind::list, std::vector<PickleIndex>()));
        return true;  // EMPTY_SET
      case 'l':
        push(PickleValue(PickleKind::list, pop_mark()));
        return true;  // LIST
      case '}':
        push(PickleValue(PickleKind::dict, std::vector<PickleIndex>()));
        return true;  // EMPTY_DICT
      case 'd':
        push(PickleValue(PickleKind::dict, pairs(pop_mark())));
        return true;  // DICT
      case 'a':
        append(PickleKind::list, pop_last(1));
        return true;  // APPEND
      case 'e':       // APPENDS
      case '\x90':
        append(PickleKind::list, pop_mark());
        return true;  // ADDITEMS
      case 's':
        append(PickleKind::dict, pop_last(2));
        return true;  // SETITEM
      case 'u':
        append(PickleKind::dict, pairs(pop_mark()));
        return true;  // SETITEMS
      default:
        return false;
    }
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
    if (target.is(PickleKind::object)) return;  // an allowed class that acts as a container: what it holds is not ours
    if (!target.is(kind)) throw broken("elements are put into something that holds none");
    auto& held = *std::get<PickleValue::Growing>(target.data_);
    held.insert(held.end(), items.begin(), items.end());
  }

  bool memo(char opcode) {
    switch (opcode) {
      case 'q':
        remember(number<std::uint8_t>());
        return true;  // BINPUT
      case 'r':
        remember(number<std::uint32_t>());
        return true;  // LONG_BINPUT
      case 'p':
        remember(parsed<std::uint64_t>(line()));
        return true;  // PUT
      case '\x94':
        remember(remembered_);
        return true;  // MEMOIZE
      case 'h':
        push(recall(number<std::uint8_t>()));
        return true;  // BINGET
      case 'j':
        push(recall(number<std::uint32_t>()));
        return true;  // LONG_BINGET
      case 'g':
        push(recall(parsed<std::uint64_t>(line())));
        return true;  // GET
      default:
        return false;
    }
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

  bool call(char opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        push_global(module, line());
        return true;
      }
      case '\x93': {  // STACK_GLOBAL
        const auto names = pop_last(2);
        push_global(pickle_[names[0]].text(), pickle_[names[1]].text());
        return true;
      }
      case 'R':     // REDUCE
      case '\x81':  // NEWOBJ
        note_call(pop_last(2));
        return true;
      case '\x92': {  // NEWOBJ_EX: class, arguments, keyword arguments
        auto items = pop_last(3);
        items.pop_back();
        note_call(items);
        return true;
      }
      case 'b':  // BUILD: the state of an object (OrderedDict's _metadata), of no use to weights
        pop();
        need(1);
        return true;
      case 'P':
        push_persistent(PickleValue(PickleKind::text, line()));
        return true;  // PERSID
      case 'Q':
        push_fixed(PickleKind::persistent, pop_last(1));
        return true;  // BINPERSID
      default:
        return false;
    }
  }

  void push_persistent(PickleValue id) {
    push(std::move(id));
    push_fixed(PickleKind::persistent, pop_last(1));
  }

  void push_global(std::string_view module, std::string_view word) {
    for (const std::string_view name : allowed_) {
      if (name.size() == module.size() + 1 + word.size() && name.starts_with(module) && name[module.size()] == '.' &&
          name.ends_with(word)) {
        push(PickleValue(PickleKind::global, name));
        return;
      }
    }
    throw input_error("refuses to run code from a file (got {}, expected only tensors and plain containers)",
                      in_quotes(fmt::format("{}.{}", module.substr(0, 80), word.substr(0, 80))));
  }

  void note_call(const std::vector<PickleIndex>& items) {
    const PickleValue& callable = pickle_[items[0]];
    const PickleValue& arguments = pickle_[items[1]];
    if (!callable.is(PickleKind::global)) throw broken("a call of something that is not a function or class");
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
  std::span<const std::string_view> allowed_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::size_t pushes_ = 0;
  std::size_t remembered_ = 0;
  std::vector<PickleIndex> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::vector<PickleIndex> memo_;
  Pickle pickle_;
};

Pickle parse_pickle(std::span<const std::byte> bytes, std::span<const std::string_view> allowed) {
  return PickleParser(bytes, allowed).parse();
}

}  // namespace effnet::formats
