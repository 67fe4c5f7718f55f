// The paper's tables and figures, each made by one function. A new one is one row of the table in items.cc.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/paper/item.h"
#include "effnet/paper/results.h"

namespace effnet::paper {

struct Context {
  Results results;
  bool timing = true;  // false: Table 4 without measured latencies
  int threads = 1;     // of Table 4's measurement; the paper used one core
  double seconds = 2;  // for each network of Table 4
  std::function<void(std::string_view)> progress = [](std::string_view) {};  // lines about the measurement
};

struct Entry {
  std::string_view id;  // "table1" ... "fig8"
  Item (*make)(const Context&);
  bool drawn = false;               // has drawings, so that it can be written as an SVG file
  bool measured = false;            // shows the accuracies of Context::results.scaling
  bool timed = false;               // measures latencies
  std::string_view not_drawn = {};  // why a figure is not drawn, and what draws it; for a hint
};
std::span<const Entry> entries();  // tables, then figures
inline constexpr std::string_view kAll = "all";
std::vector<std::string> ids();           // of the entries, and "all"
const Entry& entry(std::string_view id);  // throws Error(usage) for an unknown id

Item table1(const Context& context);   // B0, stage by stage
Item table2(const Context& context);   // ImageNet
Item table3(const Context& context);   // scaling of other networks
Item table4(const Context& context);   // latency; needs about 3 GB of memory if context.timing is true
Item table5(const Context& context);   // transfer learning
Item table6(const Context& context);   // data sets of the transfer experiments
Item table7(const Context& context);   // networks of the class activation maps
Item table8(const Context& context);   // validation and test accuracy
Item figure1(const Context& context);  // ImageNet accuracy by parameters
Item figure2(const Context& context);  // kinds of scaling, drawn
Item figure3(const Context& context);  // B0 scaled in one dimension
Item figure4(const Context& context);  // width scaled on four bases
Item figure5(const Context& context);  // ImageNet accuracy by MACs
Item figure6(const Context& context);  // transfer accuracy by parameters
Item figure7(const Context& context);  // class activation maps
Item figure8(const Context& context);  // B0 scaled in each way

}  // namespace effnet::paper
