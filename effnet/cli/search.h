// effnet search: the search for architectures. Both programs have its commands: effnet evaluates networks with the toy
// evaluator only, effnet-train with all evaluators.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/command.h"
#include "effnet/search/nas/nas_search.h"

namespace effnet::cli {

// What differs between the two programs.
struct SearchProgram {
  // Makes the evaluator of a search. Throws what the evaluator throws if it cannot work: no data, no such device.
  std::function<std::unique_ptr<search::Evaluator>(const search::Space&, const search::EvaluatorSettings&,
                                                   const search::EvaluatorPlace&)>
      make_evaluator;
  // Adds the command that trains a supernet; null in effnet.
  Declare* declare_supernet = nullptr;
  // Writes the network of `point`, with this name and its weights from the study's supernet, as a model file; null in
  // effnet.
  void (*write_weights)(const search::NasSearch& search, const search::Point& point, const std::string& name,
                        int threads, const std::string& file) = nullptr;
  // Replaces this process by effnet-train with the same command line, or throws; null in effnet-train.
  void (*exec_train)(const Globals& globals) = nullptr;
};
// The commands of both programs. The result keeps a copy of `program`.
Body declare_search_with(CLI::App& command, const Globals& globals, const SearchProgram& program);

// Continues in effnet-train if this is effnet and the evaluator of this name needs LibTorch.
void exec_for_evaluator(const SearchProgram& program, std::string_view evaluator, const Globals& globals);

// The search of a study. Throws Error(input) if it cannot be read.
search::NasSearch stored_search(const search::Study& study);
// The trials of a study. Throws Error(input) with the names of study and trial if a network or a result cannot be read.
std::vector<search::NasTrial> stored_trials(search::Study& study, const search::NasSearch& search);

// A space: the name of a built-in one, or a TOML file. Throws Error(input), for an arch file with what a space has
// more.
search::Space load_space(const std::string& name_or_file);

inline constexpr const char* kStudyHelp = "The study: an SQLite file, or the URL of a PostgreSQL database";
inline constexpr const char* kSpaceHelp = "A space: mnasnet, cifar, or a TOML file (docs/search.md)";

}  // namespace effnet::cli
