// Class names that are built into the binary: labels/imagenet1k.tsv.
#pragma once

#include <string>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::formats {

struct LabelSet {
  std::vector<std::string> labels;     // "great white shark"; two names occur twice (crane, maillot)
  std::vector<std::string> class_ids;  // WordNet ids: "n01484850"
};

EFFNET_API const LabelSet& imagenet1k();  // parsed at first use (thread-safe)

}  // namespace effnet::formats
