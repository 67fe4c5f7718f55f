// What every sub-command is given and how it is declared. One file per sub-command; commands.cc has the table.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::cli {

using Json = nlohmann::ordered_json;  // fields come out in the order of docs/cli

struct Globals {
  bool json = false;
  bool quiet = false;
  std::vector<int> threads;  // none: the cores this process may use
};

// Declares the sub-command's options on `command` and returns what runs once they are parsed. State shared by options
// and body lives in a shared_ptr that both capture. The result is the exit code; errors are exceptions.
using Body = std::function<int()>;
struct Command {
  std::string_view name;
  std::string_view summary;
  Body (*declare)(CLI::App& command, const Globals& globals);
  bool thread_lists = false;  // --threads 1,2 runs it for each
  // Another program carries the command out: replaces this process by it, with the same arguments, or throws.
  void (*become)(int argc, char** argv) = nullptr;
};

Body declare_models(CLI::App& command, const Globals& globals);
Body declare_inspect(CLI::App& command, const Globals& globals);
Body declare_scale(CLI::App& command, const Globals& globals);
Body declare_pull(CLI::App& command, const Globals& globals);
Body declare_import(CLI::App& command, const Globals& globals);
Body declare_export(CLI::App& command, const Globals& globals);
Body declare_predict(CLI::App& command, const Globals& globals);
Body declare_eval(CLI::App& command, const Globals& globals);
Body declare_data(CLI::App& command, const Globals& globals);
Body declare_bench(CLI::App& command, const Globals& globals);
Body declare_cam(CLI::App& command, const Globals& globals);
Body declare_launch(CLI::App& command, const Globals& globals);
Body declare_compare(CLI::App& command, const Globals& globals);
Body declare_report(CLI::App& command, const Globals& globals);
Body declare_paper(CLI::App& command, const Globals& globals);
void become_effnet_train(int argc, char** argv);  // train.cc
Body declare_doctor(CLI::App& command, const Globals& globals);

const std::vector<Command>& commands();
// Names of the contract (one word, or a command and its first argument) that a later version brings: they exit 4 and
// say so.
const std::vector<std::string_view>& planned_commands();

}  // namespace effnet::cli
