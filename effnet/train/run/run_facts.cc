#include "effnet/train/run/run_facts.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <sstream>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

constexpr std::array<std::string_view, 2> kOfAMachine{"data.workers", "data.folder"};

std::string digest(std::span<const std::byte> bytes) { return sha256(bytes).substr(0, 16); }

std::string count(const std::shared_ptr<const data::Dataset>& set) { return std::to_string(set ? set->size() : 0); }

bool is_setting(std::string_view key) {
  return std::ranges::any_of(settings(), [&](const Setting& setting) { return setting.key == key; });
}

// "KEY = VALUE" lines.
void add_lines(const std::string& text, const char* source, Facts& facts) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t equals = line.find(" = ");
    const std::string key = line.substr(0, equals);
    if (equals == std::string::npos || is_setting(key)) continue;
    facts.push_back(
        {*source == '\0' ? key : fmt::format("{} (line {} of {})", key, number, source), line.substr(equals + 3)});
  }
}

}  // namespace

Facts recipe_facts(const Recipe& recipe) {
  // A file may lie elsewhere on another machine; what it holds is compared once it is read.
  Recipe shown = recipe;
  for (std::string* file : {&shown.model.name, &shown.model.init})
    *file = std::filesystem::path(*file).filename().string();
  Facts facts;
  for (const Setting& setting : settings()) {
    if (std::ranges::find(kOfAMachine, setting.key) == kOfAMachine.end())
      facts.push_back({std::string(setting.key), value_text(setting, shown)});
  }
  return facts;
}

Facts data_facts(const RunData& data, const RunModel& model, const std::string& identity) {
  Facts facts{{"the number of training pictures", count(data.train)},
              {"the number of validation pictures", count(data.validation)},
              {"the number of test pictures", count(data.test)},
              {"the number of classes", std::to_string(data.train->classes().size())}};
  int number = 0;
  for (const std::string& name : data.train->classes())
    facts.push_back({fmt::format("class {}", number++), in_quotes(name)});
  const std::string arch = arch::print(model.arch);
  if (!identity.ends_with(arch)) throw internal_error("a run's identity does not end with its architecture");
  add_lines(identity.substr(0, identity.size() - arch.size()), "", facts);
  add_lines(arch, "the architecture", facts);
  return facts;
}

Facts start_facts(const Position& position, Trainer& trainer) {
  std::string digests;
  for (const auto& [name, tensor] : trainer.state()) {
    const torch::Tensor plain = tensor.to(torch::kCPU).contiguous();
    const auto* bytes = static_cast<const std::byte*>(plain.data_ptr());
    digests += name + " " + sha256({bytes, plain.nbytes()}) + "\n";
  }
  return {{"the epoch to go on from", std::to_string(position.epoch)},
          {"the batch to go on from", std::to_string(position.batch)},
          {"the digest of the weights to begin with", digest(std::as_bytes(std::span(digests)))}};
}

}  // namespace effnet::train
