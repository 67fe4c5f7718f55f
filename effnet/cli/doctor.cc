// effnet doctor: what this machine has, what effnet was built with, what is missing.
#include <archive.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

// jpeglib.h needs stdio first.
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>

#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/cli/version.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

#define EFFNET_TEXT_OF(x) #x
#define EFFNET_TEXT(x) EFFNET_TEXT_OF(x)

Json libraries() {
  const int webp = WebPGetDecoderVersion();
  return {{"libjpeg-turbo", EFFNET_TEXT(LIBJPEG_TURBO_VERSION)},
          {"libpng", png_get_libpng_ver(nullptr)},
          {"libwebp", fmt::format("{}.{}.{}", webp >> 16, (webp >> 8) & 0xff, webp & 0xff)},
          {"libarchive", archive_version_string()},
          {"CLI11", CLI11_VERSION},
          {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                        NLOHMANN_JSON_VERSION_PATCH)},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)}};
}

// Where `effnet train` will look (design.md): $EFFNET_TRAIN, beside this binary, libexec.
Json find_train() {
  std::vector<fs::path> places;
  if (const char* named = std::getenv("EFFNET_TRAIN")) places.emplace_back(named);
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  places.push_back(self.parent_path() / "effnet-train");
  places.push_back(self.parent_path().parent_path() / "libexec" / "effnet-train");
  for (const fs::path& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return {{"found", true}, {"path", place.string()}};
  }
  return {{"found", false}, {"path", Json()}};
}

std::vector<std::string> find_problems() {
  std::vector<std::string> problems;
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

}  // namespace

Body declare_doctor(CLI::App&, const Globals& globals) {
  return [&globals] {
    const std::vector<std::string> sets = instruction_sets();
    const std::vector<std::string> problems = find_problems();
    const Json train = find_train();
    const std::string chosen(kernels::name(kernels::chosen_isa()));
    const Json document{{"version", kVersion},
                        {"cpu", cpu_model()},
                        {"isa", sets},
                        {"chosen_isa", chosen},
                        {"threads", thread_count(globals)},
                        {"memory_bytes", memory_bytes()},
                        {"home", home_folder().string()},
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
        home_folder().string());
    for (const auto& [library, version] : document["libraries"].items())
      text += fmt::format("library   {} {}\n", library, version.get<std::string>());
    text += fmt::format("training  {}\n", train["found"].get<bool>()
                                              ? train["path"].get<std::string>()
                                              : "effnet-train is not installed (not part of this version)");
    for (const std::string& problem : problems) text += fmt::format("problem   {}\n", problem);
    if (problems.empty()) text += "no problems\n";
    print(text);
    return 0;
  };
}

}  // namespace effnet::cli
