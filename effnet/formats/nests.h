// Where a network's tensors stand in a file. Training scripts keep the state dict under a key ("state_dict", "model",
// "ema", ...) and wrappers put words before its names ("module.", "_orig_mod.", "backbone.", ...). Both are one thing
// here, whatever the format: a nested dict's keys and the parts of a dotted name make one path, and one table knows
// the words.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/formats/names.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

bool is_nest_word(std::string_view word);

// A place in a file where a network begins: its probe tensor is called prefix + probe.
struct Nest {
  std::string prefix;     // "", "model.module."
  bool averaged = false;  // an average of the weights over training steps
  bool known = true;      // every word of the prefix is in the table
};

// All of them, the preferred one first: averages (they are what gets published) before plain weights, fewer words
// before more, then the table's order. If there is none with known words but one place alone under other words, that
// one. Words are only taken off where a scheme's probe tensor follows: a network whose own names begin with one of them
// keeps it. Throws Error(input) for more than 32 places.
std::vector<Nest> find_nests(const tensor::Weights& weights, std::span<const NameScheme> schemes);

// What the file holds for the network at the chosen place: its tensors without the prefix, and all that belongs to none
// of the other places under its full name.
struct Chosen {
  Nest nest;
  tensor::Weights weights;
  std::vector<std::string> warnings;  // which place was taken where there are several
};
// `averaged`: which kind is wanted (none: the preferred place). TensorFlow's averages, which stand beside each
// variable, are taken or left in the same way. Throws Error(input) if the file has no weights of that kind.
Chosen choose_nest(const tensor::Weights& weights, std::span<const NameScheme> schemes, std::optional<bool> averaged);

}  // namespace effnet::formats
