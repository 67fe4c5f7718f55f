// Checks that values (recipe, images, initial weights, versions) are the same on all ranks of a group. With different
// values the ranks would train a mixed model, or wait for each other forever.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/train/distributed/group.h"

namespace effnet::train {

using KeyValues = std::vector<KeyValue>;

// Serialised form for a store or a gather. Keys and values may contain any byte except 0.
std::string to_text(const KeyValues& values);
KeyValues key_values_from(std::string_view text);  // throws Error(internal) if `text` is not from to_text()

// Describes the first three keys whose values differ: "optimizer.lr is 0.1, on rank 0 it is 0.01". Null if no value
// differs.
std::optional<std::string> difference(const KeyValues& mine, const KeyValues& of_rank0);
// The Error(usage) for the `difference` between `rank` and rank 0: "rank 1: ...". All ranks report the same text.
Error rank_mismatch(int rank, std::string_view difference);

// Compares the values of every rank with those of rank 0. If they differ, throws rank_mismatch() for the lowest rank
// that differs, on all ranks. To be called on all ranks.
void require_same_on_all_ranks(Group& group, const KeyValues& values);

}  // namespace effnet::train
