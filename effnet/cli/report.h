// effnet report RUN...: writes an HTML page about a training run, or a page that compares several runs.
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct ReportOptions {
  std::vector<std::string> runs = {};
  std::string out = {};   // the page to write; "-": stdout; empty: RUN/report.html, for one run only
  std::string data = {};  // folder of the run's images; empty: as recorded by the run
};
void declare_options(CLI::App& command, ReportOptions& options);

struct ReportResult {
  std::string path;  // "-": to_text() returns the page
  std::string page;
};
ReportResult run_report(const ReportOptions& options, const Globals& globals, Output& out);
Json to_json(const ReportResult& result);
std::string to_text(const ReportResult& result);

}  // namespace effnet::cli
