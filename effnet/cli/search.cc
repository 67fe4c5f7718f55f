#include "effnet/cli/search.h"

#include <vector>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/program.h"
#include "effnet/cli/search_export.h"
#include "effnet/cli/search_latency.h"
#include "effnet/cli/search_run.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_worker.h"
#include "effnet/search/space/named_spaces.h"
#include "effnet/search/study/sqlite.h"

namespace effnet::cli {

void exec_effnet_train(int argc, char** argv);

namespace {

// The toy evaluator, the only one that needs no LibTorch.
std::unique_ptr<search::Evaluator> make_toy(const search::Space& space, const search::EvaluatorSettings& settings,
                                            const search::EvaluatorPlace& /*place*/) {
  return search::make_toy_evaluator(space, settings);
}

void exec_train(const Globals& globals) {
  std::vector<std::string> words = globals.words;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  exec_effnet_train(static_cast<int>(words.size()), arguments.data());
}

// effnet-train declares the options of this command and runs it (exec_search).
Body declare_supernet_name(CLI::App& command, const Globals& /*globals*/) {
  command.add_subcommand("supernet", "Train the weights of all networks of a space at once (needs effnet-train)");
  return {};
}

}  // namespace

void exec_for_evaluator(const SearchProgram& program, std::string_view evaluator, const Globals& globals) {
  if (program.exec_train != nullptr && search::evaluator_facts(evaluator).needs_torch) program.exec_train(globals);
}

search::NasSearch stored_search(const search::Study& study) {
  return search::parse_nas_search(study.settings(), study.name());
}

std::vector<search::NasTrial> stored_trials(search::Study& study, const search::NasSearch& search) {
  std::vector<search::Trial> trials = study.trials();
  try {
    return search::read_trials(search.space, std::move(trials));
  } catch (const Error& error) {
    throw error.in(study.name());
  }
}

search::Space load_space(const std::string& name_or_file) {
  const std::filesystem::path file = name_or_file;
  if (extension_of(file) != ".toml" && !file.has_parent_path()) return search::named_space(name_or_file);
  const std::string text = read_text(file);
  if (is_arch_file(text, name_or_file)) {
    throw input_error("{}: an arch file is no space (got one network, expected a base and choices)", name_or_file)
        .with_hint("write a file with name, [choices], and [base] with the keys of the arch file; see docs/search.md");
  }
  return search::parse_space(text, name_or_file);
}

Body declare_search_with(CLI::App& command, const Globals& globals, const SearchProgram& program) {
  struct Part {
    CLI::App* app;
    Body body;
  };
  std::vector<Part> parts;
  command.require_subcommand(1);
  CLI::App* run = command.add_subcommand("run", "Make a study and work on it, or continue it");
  parts.push_back({run, declare_search_run(*run, globals, program)});
  CLI::App* worker = command.add_subcommand("worker", "Work on a study, beside other workers");
  parts.push_back({worker, declare_search_worker(*worker, globals, program)});
  CLI::App* shown = command.add_subcommand("show", "Show a study: best networks, Pareto front, importance of choices");
  parts.push_back({shown, declare_search_show(*shown, globals)});
  CLI::App* exported = command.add_subcommand("export", "Write the best network of a study as an arch file");
  parts.push_back({exported, declare_search_export(*exported, globals, program)});
  CLI::App* latency = command.add_subcommand("latency", "Measure a table that predicts latencies on this machine");
  parts.push_back({latency, declare_search_latency(*latency, globals)});
  const Body supernet = program.declare_supernet(command, globals);
  parts.push_back({command.get_subcommand("supernet"), supernet});
  return [parts = std::move(parts)](Output& out) {
    for (const Part& part : parts) {
      if (part.app->parsed() && part.body) return part.body(out);
    }
    throw internal_error("effnet search: no command was parsed");
  };
}

Body declare_search(CLI::App& command, const Globals& globals) {
  return declare_search_with(
      command, globals,
      {.make_evaluator = make_toy, .declare_supernet = declare_supernet_name, .exec_train = exec_train});
}

void exec_search(int argc, char** argv) {
  const std::vector<std::string> words = plain_words(argc, argv);
  if (words.size() > 1 && words[1] == "supernet") exec_effnet_train(argc, argv);
}

}  // namespace effnet::cli
