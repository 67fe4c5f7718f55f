// A search space: the networks that differ from a base network by one option for each of a list of choices. It is
// MnasNet's factorised hierarchical space (Tan et al., CVPR 2019, section 4.1): each stage has its own choices, and all
// blocks of a stage are alike.
//
// A point of the space is one option for each choice. Two points can describe the same network, for example if a kind
// of block has no expansion; canonical() returns one point for all of them. A search stores canonical points only, so
// that no network is evaluated twice.
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
  std::string field;                 // a row of space/fields.h: "block", "kernel", "se", "skip", "expand", "width", ...
  std::vector<std::string> options;  // at least two different ones, as fields.h prints them: "5", "0.25", "+1"
};

struct Space {
  std::string name;
  arch::ArchSpec base;          // the network of the options that change nothing
  std::vector<Choice> choices;  // by stage, then in the order of the rows of fields.h

  // The product of the numbers of options, as a decimal integer; it can exceed 64 bits. Twins are counted.
  std::string size() const;
};

using Point = std::vector<int>;  // the index of the option of each choice

// Reads a space (docs/search.md has the keys). Throws Error(input) with SOURCE:LINE:COLUMN. print() writes the keys
// that parse() reads, with the base as a whole: parse(print(space)) gives the same space on another machine.
Space parse_space(std::string_view text, std::string_view source);
std::string print(const Space& space);

arch::ArchSpec network_of(const Space& space, const Point& point);  // the name is the base's name and "-found"

// A point whose network is equal to `spec` apart from its name, family, resolution, classes, rates of dropout and drop
// path, and preprocessing; canonical. Empty if there is none.
std::optional<Point> find_point(const Space& space, const arch::ArchSpec& spec);

Point canonical(const Space& space, Point point);

// A point as text, and back: "k5 e6 se0.25 w1.25 l+1 / k3 ..." with one group for each stage that has choices. Reads
// back exactly. Throws Error(input) for a text that is no point of the space.
std::string to_text(const Space& space, const Point& point);
Point parse_point(const Space& space, std::string_view text);

// All return canonical points. The same draws give the same point on every machine.
Point sample(const Space& space, Draws& draws);                      // each choice uniformly
Point mutate(const Space& space, const Point& point, Draws& draws);  // another option for one choice: another network
Point cross_over(const Space& space, const Point& a, const Point& b, Draws& draws);  // each choice from a or b

}  // namespace effnet::search
