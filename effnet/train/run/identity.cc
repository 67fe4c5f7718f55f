#include "effnet/train/run/identity.h"

#include <algorithm>
#include <map>
#include <span>

#include "effnet/base/digest.h"
#include "effnet/base/error.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

bool may_change_on_resume(std::string_view key) {
  const Setting* const setting = find_setting(key);
  return setting != nullptr && setting->kind == SettingKind::adjustable;
}

// A digest of the names and labels in the order of the dataset.
std::string digest_of(const data::Dataset& set) {
  Digest digest;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::int64_t label = set.label(i);
    digest.add(set.name(i));
    digest.add(std::as_bytes(std::span(&label, 1)));
  }
  return digest.hex();
}

std::string images_text(const data::Dataset& set) {
  return fmt::format("{} (names and labels {})", set.size(), digest_of(set));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The lines of an identity text. `adjustable`: key and value of the adjustable settings; `fixed`: all other lines, in
// the order of the text.
struct Parts {
  std::map<std::string, std::string> adjustable;
  std::vector<std::string> fixed;
};
Parts parts_of(const std::string& identity) {
  Parts parts;
  for (std::string& line : lines_of(identity)) {
    const std::size_t equals = line.find(" = ");
    if (equals != std::string::npos && may_change_on_resume(line.substr(0, equals))) {
      parts.adjustable[line.substr(0, equals)] = line.substr(equals + 3);
    } else {
      parts.fixed.push_back(std::move(line));
    }
  }
  return parts;
}

// The first three lines of `some` that are not in `others`; "no such line" if there are none.
std::string only_in(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  std::string text;
  int count = 0;
  for (const std::string& line : some) {
    if (std::find(others.begin(), others.end(), line) != others.end()) continue;
    if (++count > 3) return text + ", ..";
    text += (text.empty() ? "" : ", ") + line;
  }
  return text.empty() ? std::string("no such line") : text;
}

}  // namespace

Identity identity_of(const Recipe& recipe, const RunModel& model, const RunData& data) {
  Identity identity;
  for (const Setting& setting : settings()) {
    if (setting.affects_results()) identity.settings.push_back({std::string(setting.key), value_text(setting, recipe)});
  }
  const std::vector<std::string>& names = data.train->classes();
  Digest classes;
  for (const std::string& name : names) classes.add(name);
  // The keys "pictures" are part of the checkpoint format.
  identity.data = {{"classes", fmt::format("{} ({})", names.size(), classes.hex())},
                   {"pictures", images_text(*data.train)}};
  if (data.validation) identity.data.push_back({"validation pictures", images_text(*data.validation)});
  identity.arch = arch::print(model.arch);
  return identity;
}

std::string to_text(const Identity& identity) {
  std::string text;
  for (const KeyValues* part : {&identity.settings, &identity.data}) {
    for (const KeyValue& entry : *part) text += fmt::format("{} = {}\n", entry.key, entry.value);
  }
  return text + identity.arch;
}

std::vector<Change> changes_on_resume(const std::string& now, const std::string& then) {
  const Parts ours = parts_of(now), theirs = parts_of(then);
  if (ours.fixed != theirs.fixed) {
    throw input_error("the checkpoint belongs to another model, recipe or dataset (got {}, expected {})",
                      only_in(ours.fixed, theirs.fixed), only_in(theirs.fixed, ours.fixed))
        .with_hint("use the settings and images of the checkpoint, or start a new run in another folder");
  }
  std::vector<Change> changes;
  for (const auto& [key, value] : ours.adjustable) {
    const auto before = theirs.adjustable.find(key);
    if (before != theirs.adjustable.end() && before->second != value) changes.push_back({key, value, before->second});
  }
  return changes;
}

}  // namespace effnet::train
