#include "effnet/cli/paper.h"

#include <algorithm>
#include <array>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/version.h"
#include "effnet/paper/items.h"
#include "effnet/paper/layout.h"
#include "effnet/paper/page.h"

namespace effnet::cli {
namespace {

using paper::kAll;

// The kinds of output files.
struct Kind {
  std::string_view extension;
  bool of_all;  // can hold all items
  std::string (*make)(const PaperResult& result, const std::string& command);
};

std::string markdown_of(const PaperResult& result) {
  std::string out;
  for (const paper::Item& item : result.items) out += (out.empty() ? "" : "\n") + paper::markdown(item);
  return out;
}

constexpr std::array kKinds{
    Kind{".md", true, [](const PaperResult& result, const std::string&) { return markdown_of(result); }},
    Kind{".json", true,
         [](const PaperResult& result, const std::string&) { return json_text(to_json(result)) + "\n"; }},
    Kind{".csv", false, [](const PaperResult& result, const std::string&) { return paper::csv(result.items.front()); }},
    Kind{".html", true,
         [](const PaperResult& result, const std::string& command) {
           return paper::html_page(result.items, command, kVersion);
         }},
    Kind{".svg", false,
         [](const PaperResult& result, const std::string&) { return paper::svg_page(result.items.front()); }},
};

std::vector<std::string> drawn_items() {
  std::vector<std::string> items;
  for (const paper::Entry& entry : paper::entries()) {
    if (entry.drawn) items.emplace_back(entry.id);
  }
  return items;
}

// What to do instead of an SVG file of an item without drawings.
std::string svg_hint(const std::string& item) {
  if (item == kAll) return "effnet paper all -o FILE.html has all drawings on one page";
  const std::string_view not_drawn = paper::entry(item).not_drawn;
  if (!not_drawn.empty()) return std::string(not_drawn);
  return fmt::format("a table is not drawn; SVG files show {}", one_of(drawn_items()));
}

// The kind of the file of -o. Throws Error(usage) for an unknown one, or if it cannot show the item.
const Kind& kind_of(const PaperOptions& options) {
  const bool all = options.item == kAll;
  const bool drawn = !all && paper::entry(options.item).drawn;
  std::vector<std::string> possible;
  for (const Kind& kind : kKinds) {
    if ((all && !kind.of_all) || (kind.extension == ".svg" && !drawn)) continue;
    possible.push_back(fmt::format("FILE{}", kind.extension));
  }
  const std::string extension = extension_of(options.out);
  const auto found = std::ranges::find(kKinds, extension, &Kind::extension);
  if (found == kKinds.end() || std::ranges::find(possible, "FILE" + extension) == possible.end()) {
    throw usage_error("-o: {} for {} (got {}, expected {})",
                      found == kKinds.end() ? "unknown kind of file" : "not possible", options.item,
                      in_quotes(options.out), one_of(possible))
        .with_hint(extension == ".svg" ? svg_hint(options.item) : "");
  }
  return *found;
}

// Throws for an option without effect on the item.
void check_options(const PaperOptions& options) {
  struct Row {
    std::string_view flag;
    bool given;
    bool paper::Entry::*has_effect;
  };
  const Row rows[] = {{"--results", !options.results.empty(), &paper::Entry::measured},
                      {"--no-timing", options.no_timing, &paper::Entry::timed},
                      {"--seconds", options.seconds.has_value(), &paper::Entry::timed}};
  for (const auto& [flag, given, has_effect] : rows) {
    if (!given || options.item == kAll || paper::entry(options.item).*has_effect) continue;
    std::vector<std::string> items;
    for (const paper::Entry& entry : paper::entries()) {
      if (entry.*has_effect) items.emplace_back(entry.id);
    }
    items.emplace_back(kAll);
    throw usage_error("{}: it has no effect here (got {}, expected {})", flag, options.item, one_of(items));
  }
  if (options.no_timing && options.seconds)
    throw usage_error("--seconds: it has no effect with --no-timing (got both, expected one of them)");
  if (options.seconds) check_seconds(*options.seconds);
}

// The command that makes the file again.
std::string command_of(const PaperOptions& options) {
  std::string command = fmt::format("effnet paper {}", options.item);
  for (const std::string& file : options.results) command += " --results " + path_in_shell(file);
  if (options.no_timing) command += " --no-timing";
  return command + " -o " + path_in_shell(options.out);
}

paper::Context context_of(const PaperOptions& options, const Globals& globals, Output& out) {
  paper::Context context;
  context.results = paper::embedded_results();
  for (const std::string& file : options.results) paper::add_scaling(context.results, read_text(file), file);
  context.timing = !options.no_timing;
  // The paper used one core; --threads overrides this.
  context.threads = globals.threads.empty() ? 1 : globals.threads.front();
  if (options.seconds) context.seconds = *options.seconds;
  context.progress = [&out](std::string_view line) { out.note(line); };
  return context;
}

}  // namespace

void declare_options(CLI::App& command, PaperOptions& options) {
  command.add_option("ITEM", options.item, fmt::format("A table or figure of the paper: {}", one_of(paper::ids())))
      ->required();
  add_output(command, "-o,--out", options.out,
             fmt::format("Also write the item to a file: Markdown, JSON, CSV (not with all), HTML, or SVG ({}); - "
                         "means Markdown on stdout",
                         one_of(drawn_items())))
      ->type_name("FILE.md|json|csv|html|svg");
  command
      .add_option("--results", options.results,
                  "Also show the accuracies of this file, which has the format of docs/results/scaling.toml")
      ->type_name("FILE.toml")
      ->allow_extra_args(false);
  command.add_flag("--no-timing", options.no_timing, "table4, all: do not measure latencies");
  command.add_option("--seconds", options.seconds, "table4, all: measure each network of Table 4 for S seconds [2]")
      ->type_name("S");
}

PaperResult run_paper(const PaperOptions& options, const Globals& globals, Output& out) {
  if (options.item != kAll) paper::entry(options.item);
  check_options(options);
  PaperResult result{.items = {}, .all = options.item == kAll, .markdown = is_stdout("-o", options.out, globals)};
  for (const std::string& file : options.results) check_not_input("-o", options.out, file);
  const Kind* kind = options.out.empty() || result.markdown ? nullptr : &kind_of(options);
  const paper::Context context = context_of(options, globals, out);
  for (const paper::Entry& entry : paper::entries()) {
    if (result.all || entry.id == options.item) result.items.push_back(entry.make(context));
  }
  if (kind != nullptr) write_text(options.out, kind->make(result, command_of(options)));
  return result;
}

Json to_json(const PaperResult& result) {
  if (!result.all) return paper::json(result.items.front());
  Json items = Json::array();
  for (const paper::Item& item : result.items) items.push_back(paper::json(item));
  return {{"items", items}, {"paper", paper::kCitation}};
}

std::string to_text(const PaperResult& result) {
  if (result.markdown) return markdown_of(result);
  std::string out;
  for (const paper::Item& item : result.items) out += (out.empty() ? "" : "\n") + paper::text(item);
  return out;
}

Body declare_paper(CLI::App& command, const Globals& globals) { return bind(command, globals, run_paper); }

}  // namespace effnet::cli
