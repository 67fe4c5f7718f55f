#include "effnet/cli/output_files.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/find_model.h"
#include "effnet/search/study/sqlite.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// Whether `file` is a log that SQLite keeps beside a database.
bool is_log(const fs::path& file) {
  constexpr std::array<std::string_view, 3> kEnds{"-wal", "-shm", "-journal"};
  const std::string name = file.string();
  return std::ranges::any_of(kEnds, [&](std::string_view end) {
    return name.ends_with(end) && search::is_sqlite_file(name.substr(0, name.size() - end.size()));
  });
}

// The run that `file` belongs to; empty if there is none. Files of a run are at most two folders below it:
// RUN/checkpoints/best/state.
fs::path run_of(const fs::path& file) {
  constexpr int kLevels = 3;
  fs::path folder = file.parent_path();
  for (int level = 0; level < kLevels; ++level, folder = folder.parent_path()) {
    if (is_run(folder)) return folder;
  }
  return {};
}

bool is_pulled(const fs::path& file) {
  try {
    std::error_code failed;
    return fs::equivalent(file.parent_path(), formats::pulled_path("any").parent_path(), failed) && !failed;
  } catch (const Error&) {
    return false;  // there is no home folder
  }
}

}  // namespace

bool is_run(const fs::path& folder) {
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  };
  return has("finetune.json") || (has("config.toml") && (has("metrics.csv") || has("checkpoints")));
}

bool is_read_there(const fs::path& folder, const fs::path& file) {
  constexpr std::array kOnlyWritten{".html", ".md", ".npy", ".pth", ".svg"};
  if (std::ranges::count(kOnlyWritten, extension_of(file)) > 0) return false;
  return !is_run(folder) || !vision::is_image_name(file);
}

void check_not_kept(std::string_view flag, const std::string& file) {
  std::error_code failed;
  if (!fs::is_regular_file(file, failed)) return;
  const fs::path written = fs::canonical(file, failed);
  if (failed) return;
  const auto refuse = [&](const std::string& what) {
    throw usage_error("{}: the output would replace {} (got {}, expected another file)", flag, what, in_quotes(file))
        .with_hint("choose another name for the output");
  };
  if (search::is_sqlite_file(written)) refuse("a study or another database");
  if (is_log(written)) refuse("the log of a study");
  if (is_pulled(written)) refuse("pulled weights");
  const fs::path run = run_of(written);
  if (!run.empty() && is_read_there(run, written)) refuse("a file of the run " + in_quotes(run.string()));
}

CLI::Option* add_output(CLI::App& app, const std::string& names, std::string& file, const std::string& help) {
  const std::string flag = names.substr(0, names.find(','));
  const auto take = [flag, &file](const std::string& text) {
    check_not_kept(flag, text);
    file = text;
  };
  return app.add_option_function<std::string>(names, take, help);
}

}  // namespace effnet::cli
