// Finds a network's tensors inside a file. Training scripts store the state dict under a key ("state_dict", "model",
// "ema", ...), and wrapper modules add prefixes to its names ("module.", "_orig_mod.", "backbone.", ...). Both are
// handled in the same way and for all formats: the keys of nested dicts and the parts of a dotted name form one path.
// One table (weights_location.cc) has the known words.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/formats/names.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

bool is_prefix_word(std::string_view word);  // true if the word is in the table

// A location of a network inside a file. The probe tensor of the network's naming scheme (NameScheme::probe in names.h)
// has the name prefix + probe.
struct WeightsLocation {
  std::string prefix;     // "", "model.module."
  bool averaged = false;  // the weights are an average over training steps
  bool known = true;      // every word of the prefix is in the table
};

// Returns all locations whose prefix consists of known words, in order of preference:
// 1. averaged weights before plain weights (those that the optimiser updates), because projects publish the averages;
// 2. fewer words before more;
// 3. the order of the table.
// If no prefix consists of known words, but the location with one other prefix encloses all others, returns only that
// one. A text counts as a prefix only if the probe tensor of one of `schemes` follows it. So if a network's own tensor
// names begin with a known word, that word is not taken for a prefix.
// Throws Error(input) for more than 32 locations.
std::vector<WeightsLocation> weights_locations(const tensor::Weights& weights, std::span<const NameScheme> schemes);

// The tensors at one location, without the prefix. Tensors that belong to no location are included under their full
// names.
struct LocatedWeights {
  WeightsLocation location;
  tensor::Weights weights;
  std::vector<std::string> warnings;  // which location was chosen if there are several
};
// Chooses a location. `averaged`: true for averaged weights, false for plain weights, nullopt for the preferred
// location. The same choice is made for TensorFlow's averages, which are stored beside each variable. Throws
// Error(input) if the file does not have the requested weights.
LocatedWeights locate_weights(const tensor::Weights& weights, std::span<const NameScheme> schemes,
                              std::optional<bool> averaged);

}  // namespace effnet::formats
