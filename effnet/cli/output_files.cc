#include "effnet/cli/output_files.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/formats/find_model.h"
#include "effnet/graph/arch_file.h"
#include "effnet/search/study/sqlite.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

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
  if (search::is_beside_sqlite_file(written)) refuse("the log of a study");
  if (is_pulled(written)) refuse("pulled weights");
  const fs::path run = run_of(written);
  if (!run.empty() && is_read_there(run, written)) refuse("a file of the run " + in_quotes(run.string()));
}

bool is_stdout(std::string_view flag, std::string_view file, const Globals& globals) {
  if (file != "-") return false;
  if (globals.json)
    throw usage_error("{} - cannot be combined with --json: both write to stdout (got both, expected one of them)",
                      flag);
  return true;
}

void check_no_stdout(std::string_view flag, std::string_view file) {
  if (file == "-")
    throw usage_error("{}: this format cannot be written to stdout (got -, expected a file)", flag)
        .with_hint("use ./- for a file with the name -");
}

void check_not_input(std::string_view flag, const std::string& file, const std::string& input) {
  std::error_code failed;
  if (!fs::is_regular_file(file, failed)) return;
  if (fs::equivalent(file, input, failed)) {
    throw usage_error("{}: the output file is the input file (got {}, expected another file)", flag, in_quotes(file))
        .with_hint("choose another name for the output");
  }
  const fs::path folder = fs::canonical(input, failed);
  if (failed || !fs::is_directory(folder, failed)) return;
  const fs::path written = fs::canonical(file, failed);
  const bool inside = std::mismatch(folder.begin(), folder.end(), written.begin(), written.end()).first == folder.end();
  if (failed || !inside || !is_read_there(folder, written)) return;
  throw usage_error(
      "{}: the output would replace a file of the folder that is read (got {} in {}, expected another file)", flag,
      in_quotes(file), in_quotes(input))
      .with_hint("choose another name for the output");
}

void check_two_files(std::string_view flag, const std::string& file, std::string_view other_flag,
                     const std::string& other_file) {
  if (file.empty() || other_file.empty()) return;
  std::error_code ignored;
  const bool same = fs::equivalent(file, other_file, ignored) ||
                    fs::weakly_canonical(file, ignored) == fs::weakly_canonical(other_file, ignored);
  if (same)
    throw usage_error("{} and {} are the same file (got {}, expected two files)", flag, other_flag, in_quotes(file));
}

void check_extension(std::string_view flag, const std::string& file, std::string_view extension,
                     const std::string& why) {
  if (file.empty() || file == "-" || file.starts_with("/dev/") || fs::path(file).extension() == extension) return;
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) return;  // a FIFO; a folder is an error when it is written
  throw usage_error("{}: unknown kind of file (got {}, expected FILE{})", flag, in_quotes(file), extension)
      .with_hint(why);
}

void check_weights_output(std::string_view flag, const std::string& file) {
  if (fs::path(file).extension() == ".toml")
    throw usage_error("{}: the name of an arch file or a recipe (got {}, expected the name of a file of weights)", flag,
                      in_quotes(file));
}

bool is_arch_file(std::string_view text, std::string_view source) {
  try {
    graph::parse_arch(text, source);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void check_arch_output(std::string_view flag, const std::string& file) {
  check_extension(flag, file, ".toml", kArchFileName);
  std::error_code failed;
  if (!fs::is_regular_file(file, failed) || fs::is_empty(file, failed)) return;
  if (is_arch_file(read_text(file), file)) return;
  throw usage_error("{}: the file that is there is no arch file (got {}, expected a new name or an arch file)", flag,
                    in_quotes(file))
      .with_hint("only arch files are replaced: a space or a recipe has the same extension; choose another name");
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
