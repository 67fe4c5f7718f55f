// effnet paper ITEM: shows a table or figure of the paper beside effnet's own values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/command.h"
#include "effnet/paper/item.h"

namespace effnet::cli {

struct PaperOptions {
  std::string item = {};                  // an id of paper::entries(), or "all"
  std::string out = {};                   // the extension selects the format; "-": Markdown on stdout
  std::vector<std::string> results = {};  // further files of measured accuracies
  bool no_timing = false;                 // do not measure Table 4
  std::optional<double> seconds = {};     // for each network of Table 4; empty: 2
};
void declare_options(CLI::App& command, PaperOptions& options);

struct PaperResult {
  std::vector<paper::Item> items;
  bool all = false;       // JSON is a list of the items
  bool markdown = false;  // the text is Markdown
};
// Makes the items and writes the file of -o.
PaperResult run_paper(const PaperOptions& options, const Globals& globals, Output& out);
Json to_json(const PaperResult& result);
std::string to_text(const PaperResult& result);

}  // namespace effnet::cli
