// A search space: the networks that differ from a base network by one option for each of a list of choices. It is
// MnasNet's factorised hierarchical space (Tan et al., CVPR 2019, section 4.1): each stage has its own choices, and all
// blocks of a stage are alike.
//
// A point of the space is one option for each choice. Two points can describe the same network, for example if a kind
// of block has no expansion; canonical() returns one point for all of them. A search stores canonical points only, so
// that no network is evaluated twice.
//
// The file of a space is TOML:
//   name = "small"
//   base = "mobilenet_v2"     # a named network, or a table [base] with the keys of an arch file; instead of it
//                             # base_arch = the text of an arch file
//   resolution = 32           # this and the next keys change the base; all are optional
//   classes = 10
//   strides = [1, 2, 1, 2, 1, 2, 1]             # of the first block of each stage
//   [stem]
//   stride = 1
//   channels = 16
//   [choices]                 # the options in every stage; a key is a field (fields.cc)
//   block = ["mbconv", "depthwise_separable"]   # exchangeable kinds (stage_form.cc)
//   kernel = [3, 5, 7]        # odd numbers
//   se = [0, 0.25]            # squeezed channels / input channels of the block; 0: no squeeze-and-excitation
//   skip = [true, false]      # whether a block adds its input to its output, if their shapes are equal
//   expand = [1, 3, 6]        # expanded channels / input channels of the block
//   width = [0.75, 1, 1.25]   # channels / channels of the base, rounded as in scaling (arch::round_width)
//   layers = [-1, 0, 1]       # added to the repeats of the base; at least one block remains
//   [[stages]]                # lists that replace those of [choices] in one stage
//   stage = 5                 # counts from 1
//   width = []                # no choice: the value of the base
//   channels = [96, 112]      # numbers of channels; a stage has a list for `width` or for `channels`
// A list with a single option sets this value in the base.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/random_key.h"

namespace effnet::search {

struct Choice {
  std::size_t stage = 0;             // from 0
  std::string field;                 // a row of fields.cc: "block", "kernel", "se", "skip", "expand", "width", ...
  std::vector<std::string> options;  // at least two different ones, as read_options() makes them: "5", "0.25", "+1"
  friend bool operator==(const Choice&, const Choice&) = default;
};

struct Space {
  std::string name;
  arch::ArchSpec base;          // the network of the options that change nothing
  std::vector<Choice> choices;  // by stage, then in the order of the rows of fields.cc

  // The number of points: the product of the numbers of options, as a decimal integer, because it can exceed 64 bits.
  // The number of networks is smaller if several points describe one network.
  std::string size() const;
  friend bool operator==(const Space&, const Space&) = default;
};

using Point = std::vector<int>;  // the index of the option of each choice

// Reads a space. Throws Error(input) with SOURCE:LINE:COLUMN for anything that is wrong in the file, for a base that is
// not made of exchangeable blocks, for an option that leads out of the ranges of an arch file, and if there is no
// choice at all. So arch::check() accepts every network of a space. print() writes the base as a whole, so that
// parse_space(print(space)) gives the same space on every machine.
Space parse_space(std::string_view text, std::string_view source);
std::string print(const Space& space);

// Whether the networks of two spaces are the same apart from their number of classes, which a search takes from its
// images.
bool same_networks(Space a, const Space& b);

arch::ArchSpec network_of(const Space& space, const Point& point);  // the name is the base's name and "-found"

// The option of choice `index`. Throws Error(internal) if the point does not belong to the space.
const std::string& option_of(const Space& space, const Point& point, std::size_t index);

// The canonical point whose network has the same nodes as `spec`, apart from its rates of dropout and drop path and its
// activation functions; empty if there is none. Not compared: name, family, resolution, classes, preprocessing, and
// what only scaling reads. The activation is not compared because the papers chose it apart from the search: MnasNet-A1
// and -B1 have ReLU and EfficientNet-B0 has SiLU, but all three are points of MnasNet's space. Whether stem and head
// have an activation is compared.
std::optional<Point> find_point(const Space& space, const arch::ArchSpec& spec);

// The point of the same network that has the smallest possible option for each choice.
Point canonical(const Space& space, const Point& point);

// A point as text, and back: "k5 se0.25 skip=true e6 w1.25 l+1 / k3 ..." with one group for each stage that has
// choices, and one word for each choice. A kind of block has no prefix: "mbconv k5". Reads back exactly. Throws
// Error(input) for a text that to_text() does not write for a point of the space.
std::string to_text(const Space& space, const Point& point);
Point parse_point(const Space& space, std::string_view text);

// All return canonical points. The same draws give the same point on every machine.
Point sample(const Space& space, Draws& draws);  // each choice uniformly
// Another option for one choice, such that the network is another one. If no single choice can change the network,
// returns canonical(point).
Point mutate(const Space& space, const Point& point, Draws& draws);
Point cross_over(const Space& space, const Point& a, const Point& b, Draws& draws);  // each choice from a or b

}  // namespace effnet::search
