#include "effnet/cli/doctor.h"

#include <archive.h>

#include <cstdio>

// jpeglib.h requires that <cstdio> is included before it.
#include <dav1d/dav1d.h>
#include <gif_lib.h>
#include <jpeglib.h>
#include <libde265/de265.h>
#include <png.h>
#include <tiffvers.h>
#include <webp/decode.h>

#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/load.h"
#include "effnet/cli/pull.h"
#include "effnet/cli/train_program.h"
#include "effnet/cli/version.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

#define EFFNET_TEXT_OF(x) #x
#define EFFNET_TEXT(x) EFFNET_TEXT_OF(x)

std::vector<std::pair<std::string, std::string>> libraries() {
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

std::vector<std::string> find_problems(const DoctorResult& result) {
  std::vector<std::string> problems;
  const char* named = std::getenv("EFFNET_TRAIN");
  if (!result.train) {
    if (named != nullptr && *named != '\0')
      problems.emplace_back(fmt::format("EFFNET_TRAIN is not an executable file ({})", in_quotes(named)));
  } else if (result.train_facts.is_null()) {
    problems.emplace_back(fmt::format("{} cannot be run", result.train->string()));
  } else if (result.train_facts["version"] != kVersion) {
    problems.emplace_back(fmt::format("{} has version {}, but effnet has version {}", result.train->string(),
                                      result.train_facts["version"].get<std::string>(), kVersion));
  }
  try {
    make_folders(home_folder());
    const TemporaryFolder probe(home_folder());
  } catch (const Error& error) {
    problems.emplace_back(fmt::format("pulled models cannot be stored: {}", error.what()));
  }
  if (!find_pip()) problems.emplace_back("effnet pull needs pip, which was not found: apt-get install python3-pip");
  return problems;
}

// Returns std::nullopt if there is no home folder; find_problems() reports that error.
std::optional<std::string> home() {
  try {
    return home_folder().string();
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

DoctorResult run_doctor(const DoctorOptions& /*options*/, const Globals& globals, Output& /*out*/) {
  DoctorResult result{.version = kVersion,
                      .cpu = cpu_model(),
                      .isa = kernels::instruction_sets(),
                      .chosen_isa = std::string(kernels::name(kernels::chosen_isa())),
                      .threads = thread_count(globals),
                      .memory_bytes = memory_bytes(),
                      .home = home(),
                      .libraries = libraries(),
                      .train = find_train_program()};
  if (result.train) result.train_facts = query_train_program(*result.train);
  result.problems = find_problems(result);
  return result;
}

Json to_json(const DoctorResult& result) {
  Json libraries;
  for (const auto& [library, version] : result.libraries) libraries[library] = version;
  Json train{{"found", result.train.has_value()}, {"path", result.train ? Json(result.train->string()) : Json()}};
  if (result.train_facts.is_object()) train.update(result.train_facts);
  return {{"version", result.version},
          {"cpu", result.cpu},
          {"isa", result.isa},
          {"chosen_isa", result.chosen_isa},
          {"threads", result.threads},
          {"memory_bytes", result.memory_bytes},
          {"home", result.home ? Json(*result.home) : Json()},
          {"libraries", libraries},
          {"train", train},
          {"problems", result.problems}};
}

std::string to_text(const DoctorResult& result) {
  std::string text = fmt::format(
      "effnet {}\ncpu       {}\nisa       {} (chosen: {})\nthreads   {}\nmemory    {} bytes\nhome      {}\n",
      result.version, result.cpu, fmt::join(result.isa, " "), result.chosen_isa, result.threads,
      grouped(result.memory_bytes), result.home.value_or("none"));
  for (const auto& [library, version] : result.libraries) text += fmt::format("library   {} {}\n", library, version);
  std::string training = "effnet-train was not found; make train builds it";
  if (result.train) {
    const std::string unknown = "unknown";
    training = fmt::format("{} (LibTorch {})", result.train->string(),
                           result.train_facts.is_object() ? result.train_facts.value("libtorch", unknown) : unknown);
  }
  text += fmt::format("training  {}\n", training);
  for (const std::string& problem : result.problems) text += fmt::format("problem   {}\n", problem);
  if (result.problems.empty()) text += "no problems\n";
  return text;
}

Body declare_doctor(CLI::App& command, const Globals& globals) { return bind(command, globals, run_doctor); }

}  // namespace effnet::cli
