// The numbers of a search as text.
#pragma once

#include <string>

#include "effnet/search/nas/nas_search.h"

namespace effnet::cli {

std::string space_text(const search::Space& space);  // "cifar (up to 76,527,504 networks)", or "4.9 x 10^18"
std::string cost_text(const search::NasSearch& search, double cost);        // "386M MACs", "1.25MB", "12.3 ms"
std::string quality_text(const search::NasSearch& search, double quality);  // an accuracy "76.30 %", a score "41.2"
// The budget of the networks in `result.best`: "with 6 epochs"; empty if all networks have the same budget.
std::string budget_text(const search::NasSearch& search, const search::NasResult& result);
std::string objective_text(const search::NasSearch& search);  // "quality x (macs / 5.2M MACs)^-0.07"

}  // namespace effnet::cli
