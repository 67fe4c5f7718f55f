#include "effnet/train/run/compared_values.h"

#include <filesystem>
#include <span>
#include <sstream>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

std::string digest(std::span<const std::byte> bytes) { return sha256(bytes).substr(0, 16); }

std::string count(const std::shared_ptr<const data::Dataset>& set) { return std::to_string(set ? set->size() : 0); }

}  // namespace

KeyValues compared_settings(const Recipe& recipe) {
  KeyValues values;
  for (const Setting& setting : settings()) {
    if (setting.kind == SettingKind::per_rank || setting.kind == SettingKind::data_folder) continue;
    Recipe shown = recipe;
    // A model file may be in another folder on each machine, so only its name is compared here. compared_data() and
    // compared_start() compare the contents.
    if (setting.kind == SettingKind::model_file) {
      std::string& file = text_of(setting, shown);
      file = std::filesystem::path(file).filename().string();
    }
    values.push_back({std::string(setting.key), value_text(setting, shown)});
  }
  return values;
}

KeyValues compared_data(const RunData& data, const Identity& identity) {
  KeyValues values{{"the number of training images", count(data.train)},
                   {"the number of validation images", count(data.validation)},
                   {"the number of test images", count(data.test)},
                   {"the number of classes", std::to_string(data.train->classes().size())}};
  int number = 0;
  for (const std::string& name : data.train->classes())
    values.push_back({fmt::format("class {}", number++), in_quotes(name)});
  values.insert(values.end(), identity.data.begin(), identity.data.end());
  std::istringstream lines(identity.arch);
  std::string line;
  for (number = 1; std::getline(lines, line); ++number) {
    const std::size_t equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    values.push_back(
        {fmt::format("{} (line {} of the architecture)", line.substr(0, equals), number), line.substr(equals + 3)});
  }
  return values;
}

KeyValues compared_start(const Position& position, Trainer& trainer) {
  std::string digests;
  for (const auto& [name, tensor] : trainer.state()) {
    const torch::Tensor plain = tensor.to(torch::kCPU).contiguous();
    const auto* bytes = static_cast<const std::byte*>(plain.data_ptr());
    digests += name + " " + sha256({bytes, plain.nbytes()}) + "\n";
  }
  return {{"the epoch to resume from", std::to_string(position.epoch)},
          {"the batch to resume from", std::to_string(position.batch)},
          {"the digest of the initial weights", digest(std::as_bytes(std::span(digests)))}};
}

}  // namespace effnet::train
