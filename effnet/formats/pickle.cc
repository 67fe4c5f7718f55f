#include "effnet/formats/pickle.h"

#include <bit>
#include <cstring>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/formats/pickle_machine.h"

namespace effnet::formats {

PickleValue::PickleValue(PickleKind kind, std::vector<PickleIndex> items)
    : kind_(kind), data_(std::make_unique<std::vector<PickleIndex>>(std::move(items))) {}

std::int64_t PickleValue::integer() const {
  if (kind_ != PickleKind::integer && kind_ != PickleKind::boolean) {
    throw input_error("pickle: a value has the wrong type (expected an integer)");
  }
  return std::get<std::int64_t>(data_);
}

std::string_view PickleValue::text() const {
  if (kind_ != PickleKind::text) {
    throw input_error("pickle: a value has the wrong type (expected a text)");
  }
  return std::get<std::string_view>(data_);
}

std::string_view PickleValue::raw() const noexcept {
  const auto* view = std::get_if<std::string_view>(&data_);
  return view != nullptr ? *view : std::string_view();
}

std::span<const PickleIndex> PickleValue::items() const noexcept {
  if (const auto* fixed = std::get_if<std::span<const PickleIndex>>(&data_)) return *fixed;
  if (const auto* growing = std::get_if<Growing>(&data_)) return **growing;
  return {};
}

const PickleValue& Pickle::item(const PickleValue& of, std::size_t i) const {
  const auto items = of.items();
  if (i >= items.size())
    throw input_error("pickle: too few elements (got {}, expected at least {})", items.size(), i + 1);
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

namespace {

// Executes the opcodes. Each function handles one group and returns false for an opcode outside its group.
class PickleParser : PickleMachine {
 public:
  using PickleMachine::PickleMachine;

  Pickle parse() {
    for (;;) {
      opcode_at_ = at_;
      const char opcode = take(1)[0];
      if (opcode == '.') break;
      if (!constant(opcode) && !text(opcode) && !container(opcode) && !memo(opcode) && !call(opcode)) {
        throw corrupt(fmt::format("opcode 0x{:02x} is not supported; torch.save does not write it",
                                  static_cast<unsigned>(static_cast<unsigned char>(opcode))));
      }
    }
    pickle_.root = pop();
    pickle_.consumed = at_;
    return std::move(pickle_);
  }

 private:
  bool constant(char opcode) {
    switch (opcode) {
      case '\x80': {  // PROTO
        const auto version = number<std::uint8_t>();
        if (version > 5) throw corrupt(fmt::format("unknown protocol (got {}, expected 0 to 5)", version));
        return true;
      }
      case '\x95':  // FRAME: the bytes of the frame follow directly, so only its length is checked
        if (const auto length = number<std::uint64_t>(); length > source_.size() - at_) {
          throw corrupt("a frame is longer than the file");
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
        if (length < 0) throw corrupt("an integer has a negative length");
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
      case 'S': {     // STRING, in Python's quotes
        const std::string_view word = line();
        if (word.size() < 2 || (word[0] != '\'' && word[0] != '"') || word.back() != word[0]) {
          throw corrupt("a string is not quoted");
        }
        push(PickleValue(PickleKind::text, unescaped(word.substr(1, word.size() - 2))));
        return true;
      }
      default:
        return false;
    }
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
        remember(memo_count_);
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

  bool call(char opcode) {
    switch (opcode) {
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        const std::string_view word = line();
        if (push_known(module, word)) return true;
        push(PickleValue(PickleKind::text, module));
        push(PickleValue(PickleKind::text, word));
        push_fixed(PickleKind::foreign, pop_last(2));
        return true;
      }
      case '\x93': {  // STACK_GLOBAL
        const auto names = pop_last(2);
        if (push_known(pickle_[names[0]].text(), pickle_[names[1]].text())) return true;
        push_fixed(PickleKind::foreign, names);
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
      case 'b':  // BUILD sets the state of an object, such as OrderedDict's _metadata. Weights do not need the state.
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
};

}  // namespace

Pickle parse_pickle(std::span<const std::byte> bytes, std::span<const std::string_view> known) {
  return PickleParser(bytes, known).parse();
}

}  // namespace effnet::formats
