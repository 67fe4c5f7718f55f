#include "effnet/cli/load.h"

#include <algorithm>
#include <filesystem>

#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/published.h"
#include "effnet/model/executor.h"

namespace effnet::cli {

void LoadOptions::declare(CLI::App& command) {
  command.add_flag("--random", random, "Use random weights, even if pulled ones exist");
  add_seed(command, seed, "Set the seed of random weights [0]");
}

model::ModelHandle load_model(const std::string& model, const LoadOptions& options, ThreadPool& pool, Output& out) {
  const model::Note note = [&out](std::string_view text) { out.note(text); };
  model::ModelHandle handle(model, {.random = options.random, .seed = options.seed, .note = note}, pool);
  std::string warning = handle.warning();
  if (warning.empty()) return handle;
  const std::string& name = handle.family_name();
  if (!options.random && can_be_pulled(name))
    warning += fmt::format("; effnet pull {} downloads published weights", name);
  std::error_code ignored;
  if (!name.empty() && std::filesystem::exists(model, ignored))
    warning += fmt::format("; use ./{} for the file or folder of this name", model);
  out.warn(warning);
  return handle;
}

Preprocessing preprocessing_at(const model::ModelHandle& model, const std::string& resolution) {
  return resolution.empty() ? model.preprocessing() : model.preprocessing().at(parse_resolution(resolution));
}

void check_backend_name(const std::string& name) {
  const std::vector<std::string> known = model::executor_names();
  if (std::ranges::find(known, name) == known.end())
    throw unknown_name(ErrorCode::usage, "--backend: unknown backend", name, known);
}

void check_precision(const std::string& precision) {
  if (precision == "fp32") return;
  if (precision == "bf16" || precision == "int8")
    throw environment_error("--precision {} is not built yet (expected fp32)", precision);
  throw usage_error("--precision: unknown precision (got {}, expected fp32, bf16 or int8)", in_quotes(precision));
}

void check_seconds(double seconds) {
  constexpr double kDay = 86400;
  if (!(seconds > 0 && seconds <= kDay))
    throw usage_error("--seconds: out of range (got {}, expected above 0, at most {})", seconds, kDay);
}

}  // namespace effnet::cli
