// effnet doctor: what this machine has, what effnet was built with, what is missing.
#include <archive.h>

#include <cstdio>

// jpeglib.h needs stdio first.
#include <dav1d/dav1d.h>
#include <gif_lib.h>
#include <jpeglib.h>
#include <libde265/de265.h>
#include <png.h>
#include <tiffvers.h>
#include <webp/decode.h>

#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/cli/train_program.h"
#include "effnet/cli/version.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

#define EFFNET_TEXT_OF(x) #x
#define EFFNET_TEXT(x) EFFNET_TEXT_OF(x)

Json libraries() {
  const int webp = WebPGetDecoderVersion();
  return {{"libjpeg-turbo", EFFNET_TEXT(LIBJPEG_TURBO_VERSION)},
          {"libpng", png_get_libpng_ver(nullptr)},
          {"libwebp", fmt::format("{}.{}.{}", webp >> 16, (webp >> 8) & 0xff, webp & 0xff)},
          {"giflib", fmt::format("{}.{}.{}", GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE)},
          {"libtiff", fmt::format("{}.{}.{}", TIFFLIB_MAJOR_VERSION, TIFFLIB_MINOR_VERSION, TIFFLIB_MICRO_VERSION)},
          {"dav1d", dav1d_version()},
          {"libde265", de265_get_version()},
          {"libarchive", archive_version_string()},
          {"CLI11", CLI11_VERSION},
          {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                        NLOHMANN_JSON_VERSION_PATCH)},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)}};
}

// What effnet-train says of itself, with "found" and "path" before it.
Json train_program() {
  const auto program = find_train_program();
  if (!program) return {{"found", false}, {"path", Json()}};
  Json document{{"found", true}, {"path", program->string()}};
  const Json answer = ask_train_program(*program);
  if (answer.is_object()) document.update(answer);
  return document;
}

std::vector<std::string> find_problems(const Json& train) {
  std::vector<std::string> problems;
  const char* named = std::getenv("EFFNET_TRAIN");
  if (!train["found"].get<bool>()) {
    if (named != nullptr && *named != '\0')
      problems.emplace_back(fmt::format("EFFNET_TRAIN names no program ({})", in_quotes(named)));
  } else if (!train.contains("version")) {
    problems.emplace_back(fmt::format("{} does not run", train["path"].get<std::string>()));
  } else if (train["version"] != kVersion) {
    problems.emplace_back(fmt::format("{} is of version {}, effnet of {}", train["path"].get<std::string>(),
                                      train["version"].get<std::string>(), kVersion));
  }
  try {
    make_folders(home_folder());
    const TemporaryFolder probe(home_folder());
  } catch (const Error& error) {
    problems.emplace_back(fmt::format("pulled models cannot be kept: {}", error.what()));
  }
  const auto works = [](const std::vector<std::string>& words) {
    const ProcessResult result = run_process(words);
    return result.started && result.exit_code == 0;
  };
  if (!works({"python3", "-m", "pip", "--version"}) && !works({"/usr/bin/python3", "-m", "pip", "--version"}) &&
      !works({"pip3", "--version"})) {
    problems.emplace_back("effnet pull needs pip: apt-get install python3-pip");
  }
  return problems;
}

// Null if there is none: find_problems says so.
Json home() {
  try {
    return home_folder().string();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Body declare_doctor(CLI::App&, const Globals& globals) {
  return [&globals] {
    const std::vector<std::string> sets = kernels::instruction_sets();
    const Json train = train_program();
    const std::vector<std::string> problems = find_problems(train);
    const std::string chosen(kernels::name(kernels::chosen_isa()));
    const Json document{{"version", kVersion},
                        {"cpu", cpu_model()},
                        {"isa", sets},
                        {"chosen_isa", chosen},
                        {"threads", thread_count(globals)},
                        {"memory_bytes", memory_bytes()},
                        {"home", home()},
                        {"libraries", libraries()},
                        {"train", train},
                        {"problems", problems}};
    if (globals.json) {
      print_json(document);
      return 0;
    }
    std::string text = fmt::format(
        "effnet {}\ncpu       {}\nisa       {} (chosen: {})\nthreads   {}\nmemory    {} bytes\nhome      {}\n",
        kVersion, cpu_model(), fmt::join(sets, " "), chosen, thread_count(globals), grouped(memory_bytes()),
        document["home"].is_null() ? "none" : document["home"].get<std::string>());
    for (const auto& [library, version] : document["libraries"].items())
      text += fmt::format("library   {} {}\n", library, version.get<std::string>());
    text += fmt::format("training  {}\n", train["found"].get<bool>()
                                              ? fmt::format("{} (LibTorch {})", train["path"].get<std::string>(),
                                                            train.value("libtorch", "unknown"))
                                              : "effnet-train is not here; make train builds it");
    for (const std::string& problem : problems) text += fmt::format("problem   {}\n", problem);
    if (problems.empty()) text += "no problems\n";
    print(text);
    return 0;
  };
}

}  // namespace effnet::cli
