// Evaluators: they give a network a quality. The toy evaluator is here; those that train or need gradients are in
// effnet/lab, because they need LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/search/space/space.h"
#include "effnet/search/study/study.h"

namespace effnet::search {

// What a study stores about its evaluator.
struct EvaluatorSettings {
  std::string name = "toy";
  std::string recipe = {};    // proxy, supernet, zerocost: a training recipe (TOML) with data.folder
  std::string score = {};     // zerocost: "synflow", "naswot", "grad_norm", "macs" or "params"
  std::string supernet = {};  // supernet: the file with its weights
  // formats::checkpoint_sum() of that file, because other weights give other qualities. Empty in studies of earlier
  // versions, which accept any supernet of their space.
  std::string supernet_digest = {};
  std::uint64_t seed = 1;  // of every evaluation: a network has one result
};

// The key of the recipe, as TOML, in the metadata of a supernet's file (effnet/lab/supernet_file.h).
inline constexpr const char* kSupernetRecipe = "effnet.supernet.recipe";

struct Quality {
  double value = 0;     // higher is better
  std::string details;  // JSON, for reports
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  // The quality of the network with this budget. `trial`: for its seed, and for the names of files. Throws
  // CandidateError if the network cannot be evaluated; see Evaluate in study/worker.h.
  virtual Quality evaluate(const arch::ArchSpec& spec, const Point& point, const Trial& trial) = 0;
  // The number of classes of its images; 0 if it reads none.
  virtual std::int64_t classes() const { return 0; }
  // Removes the files that evaluate() has made for the trial, which has ended and whose end is stored. A result that
  // could not be stored is found in these files again. A failed trial keeps files that its message names.
  virtual void remove_files(const Trial&) {}
};

struct EvaluatorFacts {
  std::string_view name;
  std::string_view what;    // one line for --help
  std::string_view unit;    // of the budget: "epochs", or empty if the evaluator has no budget
  bool accuracy = false;    // the quality is a top-1 from 0 to 1; otherwise only the objective `limit` has a meaning
  bool needs_torch = true;  // effnet-train evaluates
  bool device = false;      // runs on the device of EvaluatorPlace; otherwise always on the CPU
};
std::span<const EvaluatorFacts> evaluators();                  // a new evaluator is a row, and its class
const EvaluatorFacts& evaluator_facts(std::string_view name);  // throws Error(usage) with the nearest name

// Where and how the evaluators of a worker run.
struct EvaluatorPlace {
  std::filesystem::path folder;  // for files of trials in progress
  std::string device = "auto";
  int threads = 1;
  std::function<void(const std::string& line)> log = {};
};
std::unique_ptr<Evaluator> make_toy_evaluator(const Space& space, const EvaluatorSettings& settings);

}  // namespace effnet::search
