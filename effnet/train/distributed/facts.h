// What all processes of a group must agree on, as keys and values: the recipe, the images, the weights they begin
// with. Ranks that disagree would train a mixed model, or wait for each other for ever.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/train/distributed/group.h"

namespace effnet::train {

using Facts = std::vector<Fact>;

std::string to_text(const Facts& facts);  // for a store or a group; any bytes are kept
Facts facts_from(std::string_view text);  // Error(internal) for what is no such text

// "optimizer.lr is 0.1, on rank 0 it is 0.01": the first three keys whose values differ. Nothing if none does.
std::optional<std::string> difference(const Facts& mine, const Facts& of_rank0);
// Error(usage) "rank 1: ...", the same text wherever it is made.
Error disagreement(int rank, std::string_view difference);

// Compares every rank's with rank 0's and throws disagreement() of the lowest one that differs, on all of them.
void agree(Group& group, const Facts& facts);

}  // namespace effnet::train
