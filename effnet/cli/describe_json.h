// Parts of the JSON documents that several commands share.
#pragma once

#include "effnet/base/preprocessing.h"
#include "effnet/cli/command.h"
#include "effnet/graph/graph.h"

namespace effnet::cli {

// Returns the shortest decimal number that converts back to the same float32.
double shortest(float value);
Json to_json(Size size);  // one number if square, else [h, w]
Json to_json(const Preprocessing& preprocessing);
Json stages_json(const graph::Graph& graph);
std::string stages_table(const graph::Graph& graph);  // as text

}  // namespace effnet::cli
