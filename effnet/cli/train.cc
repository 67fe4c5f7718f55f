// effnet train: replaces this process by effnet-train (execv), so that signals and exit codes need no forwarding. This
// binary does not link LibTorch, which would cost 0.7 s and 160 MB at every start.
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
  const auto is_executable = [](const fs::path& place) {
    std::error_code ignored;
    return ::access(place.c_str(), X_OK) == 0 && fs::is_regular_file(place, ignored);
  };
  const char* named = std::getenv("EFFNET_TRAIN");
  if (named != nullptr && *named != '\0') {
    // An absolute path, so that run_process does not search PATH for the name.
    std::error_code ignored;
    const fs::path place = fs::absolute(named, ignored);
    return is_executable(place) ? std::optional(place) : std::nullopt;
  }
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& place : {folder / "effnet-train", folder.parent_path() / "libexec" / "effnet-train"}) {
    if (is_executable(place)) return place;
  }
  return std::nullopt;
}

Json query_train_program(const fs::path& program) {
  const ProcessResult answer = run_process({program.string(), "--version", "--json"}, Keep::output);
  if (!answer.started || answer.exit_code != 0) return {};
  Json document = Json::parse(answer.output, nullptr, false);
  const bool usable = document.is_object() && document.contains("version") && document["version"].is_string();
  return usable ? document : Json();
}

namespace {

// Returns true if the file contains the text kTrainMark, which includes this version. This takes milliseconds, but
// query_train_program() takes 0.7 s, because it loads LibTorch. A script that starts effnet-train does not contain the
// text, so it is queried.
bool has_version_mark(const fs::path& program) {
  try {
    const MappedFile file(program);
    return ::memmem(file.bytes().data(), file.bytes().size(), kTrainMark, std::strlen(kTrainMark)) != nullptr;
  } catch (const Error&) {
    return false;  // executable but not readable: query it
  }
}

}  // namespace

void exec_effnet_train(int /*argc*/, char** argv) {
  constexpr const char* kHint =
      "run `make train` in effnet's source folder to build it (needs Debian's libtorch-dev); EFFNET_TRAIN can name "
      "another effnet-train";
  const std::optional<fs::path> program = find_train_program();
  if (!program) {
    const char* named = std::getenv("EFFNET_TRAIN");
    const bool by_name = named != nullptr && *named != '\0';
    throw environment_error("training needs effnet-train, which was not found (got {}, expected a program)",
                            by_name ? "EFFNET_TRAIN=" + in_quotes(named) : "none beside effnet or in ../libexec")
        .with_hint(kHint);
  }
  std::error_code ignored;
  if (fs::equivalent(*program, "/proc/self/exe", ignored)) {
    throw environment_error("{}: this is effnet itself (expected effnet-train)", program->string()).with_hint(kHint);
  }
  if (!has_version_mark(*program)) {
    const Json answer = query_train_program(*program);
    if (answer.is_null())
      throw environment_error("{}: not effnet-train {} (got no valid output for --version --json)", program->string(),
                              kVersion)
          .with_hint(kHint);
    const std::string version = answer["version"].get<std::string>();
    if (version != kVersion)
      throw environment_error("{}: its version differs from effnet's (got {}, expected {})", program->string(),
                              in_quotes(version), kVersion)
          .with_hint(kHint);
  }
  // While signals are blocked, a Ctrl-C is delivered only after effnet-train has loaded LibTorch and installed its
  // handlers. Otherwise it would kill the process without a message. check_interrupt() handles an earlier Ctrl-C.
  block_signals();
  check_interrupt();
  set_openmp_wait_passive();
  ::execv(program->c_str(), argv);
  unblock_signals();
  throw environment_error("{}: cannot be executed ({})", program->string(), std::strerror(errno)).with_hint(kHint);
}

}  // namespace effnet::cli
