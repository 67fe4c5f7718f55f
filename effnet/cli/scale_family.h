// effnet scale BASE --family: shows the published scalings of a base beside the formula's values at the phi with the
// same d*w^2*r^2.
#pragma once

#include <string>
#include <vector>

#include "effnet/arch/family.h"
#include "effnet/cli/scale.h"

namespace effnet::cli {

struct FamilyResult {
  // The compound rule's values for a network that costs as much as one with the published coefficients d, w, r. So phi
  // is the solution of (alpha*beta^2*gamma^2)^phi = d*w^2*r^2.
  struct Formula {
    double phi, depth, width, resolution;
  };
  struct Row {
    const arch::Variant* variant;
    Formula formula;
    graph::Graph graph;
    graph::Costs costs;
  };
  arch::Coefficients coefficients;
  std::vector<Row> rows;
};
FamilyResult run_family(const ScaleOptions& options);
Json to_json(const FamilyResult& result);
std::string to_text(const FamilyResult& result);

}  // namespace effnet::cli
