// effnet scale BASE --family: every published scaling of one base, beside what the formula says for the same budget.
#pragma once

#include <string>
#include <vector>

#include "effnet/arch/family.h"
#include "effnet/cli/scale.h"

namespace effnet::cli {

struct FamilyResult {
  // The formula at the phi that spends the published coefficients' budget: d*w^2*r^2 = (alpha*beta^2*gamma^2)^phi.
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
