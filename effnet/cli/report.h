// effnet report RUN: the page about a training run.
#pragma once

#include <string>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct ReportOptions {
  std::string run = {};
  std::string out = {};   // the page; "-": stdout; empty: RUN/report.html
  std::string data = {};  // where the run's images lie now; empty: where they lay
};
void declare_options(CLI::App& command, ReportOptions& options);

struct ReportResult {
  std::string path;  // "-": the page is what is shown
  std::string page;
};
ReportResult run_report(const ReportOptions& options, const Globals& globals, Output& out);
Json to_json(const ReportResult& result);
std::string to_text(const ReportResult& result);

}  // namespace effnet::cli
