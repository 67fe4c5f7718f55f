// effnet train: becomes effnet-train by execv, so that signals and exit codes pass untouched. This binary never links
// LibTorch, which costs 0.7 s and 160 MB at every start.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/openmp.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/cli/train_program.h"
#include "effnet/cli/version.h"

namespace effnet::cli {

namespace fs = std::filesystem;

std::optional<fs::path> find_train_program() {
  const auto runs = [](const fs::path& place) {
    std::error_code ignored;
    return ::access(place.c_str(), X_OK) == 0 && fs::is_regular_file(place, ignored);
  };
  const char* named = std::getenv("EFFNET_TRAIN");
  if (named != nullptr && *named != '\0') {
    // With a folder, so that run_process takes this file and not one of the same name on PATH.
    std::error_code ignored;
    const fs::path place = fs::absolute(named, ignored);
    return runs(place) ? std::optional(place) : std::nullopt;
  }
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& place : {folder / "effnet-train", folder.parent_path() / "libexec" / "effnet-train"}) {
    if (runs(place)) return place;
  }
  return std::nullopt;
}

Json ask_train_program(const fs::path& program) {
  const ProcessResult answer = run_process({program.string(), "--version", "--json"}, Keep::output);
  if (!answer.started || answer.exit_code != 0) return {};
  Json document = Json::parse(answer.output, nullptr, false);
  const bool usable = document.is_object() && document.contains("version") && document["version"].is_string();
  return usable ? document : Json();
}

namespace {

// In milliseconds, where asking takes the 0.7 s of loading LibTorch; a script that starts effnet-train has no mark.
bool carries_our_mark(const fs::path& program) {
  try {
    const MappedFile file(program);
    return ::memmem(file.bytes().data(), file.bytes().size(), kTrainMark, std::strlen(kTrainMark)) != nullptr;
  } catch (const Error&) {
    return false;  // runnable but not readable: it is asked
  }
}

}  // namespace

void become_effnet_train(int /*argc*/, char** argv) {
  constexpr const char* kHint =
      "in effnet's source folder `make train` builds it (it needs Debian's libtorch-dev), beside effnet; EFFNET_TRAIN "
      "names another place";
  const std::optional<fs::path> program = find_train_program();
  if (!program) {
    const char* named = std::getenv("EFFNET_TRAIN");
    const bool by_name = named != nullptr && *named != '\0';
    throw environment_error("training needs effnet-train, which is not here (got {}, expected a program)",
                            by_name ? "EFFNET_TRAIN=" + in_quotes(named) : "none beside effnet or in ../libexec")
        .with_hint(kHint);
  }
  std::error_code ignored;
  if (fs::equivalent(*program, "/proc/self/exe", ignored)) {
    throw environment_error("{}: this is effnet itself (expected effnet-train)", program->string()).with_hint(kHint);
  }
  if (!carries_our_mark(*program)) {
    const Json answer = ask_train_program(*program);
    if (answer.is_null())
      throw environment_error("{}: does not answer --version --json as effnet-train {} does", program->string(),
                              kVersion)
          .with_hint(kHint);
    const std::string version = answer["version"].get<std::string>();
    if (version != kVersion)
      throw environment_error("{}: another version than effnet's (got {}, expected {})", program->string(),
                              in_quotes(version), kVersion)
          .with_hint(kHint);
  }
  // A Ctrl-C while LibTorch is being loaded waits for effnet-train's handlers instead of killing it without a word. One
  // that came before is known to this program only.
  block_signals();
  check_interrupt();
  set_openmp_wait_passive();
  ::execv(program->c_str(), argv);
  unblock_signals();
  throw environment_error("{}: cannot be run ({})", program->string(), std::strerror(errno)).with_hint(kHint);
}

}  // namespace effnet::cli
