#include "effnet/train/run/identity.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "effnet/base/digest.h"
#include "effnet/base/error.h"
#include "effnet/train/recipe/settings.h"

namespace effnet::train {
namespace {

// Settings that change no number of the steps. model.name is among them because the architecture itself is compared,
// model.init because what it begins with is in the checkpoint.
constexpr std::array<std::string_view, 11> kFreeSettings{
    "model.name",        "model.init",  "data.folder",          "data.workers",           "data.broken_limit",
    "train.time_budget", "train.fused", "train.validate_every", "checkpoint.every_steps", "checkpoint.keep",
    "checkpoint.result"};

// Settings of the steps to come: what is done stays as it is. They are what a run that diverged needs.
constexpr std::array<std::string_view, 5> kCourseSettings{"optimizer.lr", "optimizer.lr_per_256",
                                                          "schedule.warmup_epochs", "train.clip_norm", "train.epochs"};

bool is_of_the_course(std::string_view key) { return std::ranges::count(kCourseSettings, key) != 0; }

// Of names and labels in order.
std::string digest_of(const data::Dataset& set) {
  Digest digest;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::int64_t label = set.label(i);
    digest.add(set.name(i));
    digest.add(std::as_bytes(std::span(&label, 1)));
  }
  return digest.hex();
}

std::string pictures_line(std::string_view what, const data::Dataset& set) {
  return fmt::format("{} = {} (names and labels {})\n", what, set.size(), digest_of(set));
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

// Lines of settings that may change, by key, and all others in their order.
struct Parts {
  std::map<std::string, std::string> course;
  std::vector<std::string> fixed;
};
Parts parts_of(const std::string& identity) {
  Parts parts;
  for (std::string& line : lines_of(identity)) {
    const std::size_t equals = line.find(" = ");
    if (equals != std::string::npos && is_of_the_course(line.substr(0, equals))) {
      parts.course[line.substr(0, equals)] = line.substr(equals + 3);
    } else {
      parts.fixed.push_back(std::move(line));
    }
  }
  return parts;
}

// The first lines of `some` that `others` lack.
std::string only_in(const std::vector<std::string>& some, const std::vector<std::string>& others) {
  std::string text;
  int count = 0;
  for (const std::string& line : some) {
    if (std::find(others.begin(), others.end(), line) != others.end()) continue;
    if (++count > 3) return text + ", ..";
    text += (text.empty() ? "" : ", ") + line;
  }
  return text.empty() ? std::string("nothing more") : text;
}

}  // namespace

bool is_free(std::string_view key) { return std::ranges::count(kFreeSettings, key) != 0; }

std::string identity_of(const Recipe& recipe, const RunModel& model, const RunData& data) {
  std::string identity;
  for (const Setting& setting : settings()) {
    if (!is_free(setting.key)) identity += fmt::format("{} = {}\n", setting.key, value_text(setting, recipe));
  }
  const std::vector<std::string>& names = data.train->classes();
  Digest classes;
  for (const std::string& name : names) classes.add(name);
  identity += fmt::format("classes = {} ({})\n", names.size(), classes.hex());
  identity += pictures_line("pictures", *data.train);
  if (data.validation) identity += pictures_line("validation pictures", *data.validation);
  return identity + arch::print(model.arch);
}

std::vector<Change> changes_of_course(const std::string& now, const std::string& then) {
  const Parts ours = parts_of(now), theirs = parts_of(then);
  if (ours.fixed != theirs.fixed) {
    throw input_error("the checkpoint is of another model, recipe or data (got {}, expected {})",
                      only_in(ours.fixed, theirs.fixed), only_in(theirs.fixed, ours.fixed))
        .with_hint("go on with the settings and pictures it was made with, or begin anew in another folder");
  }
  std::vector<Change> changes;
  for (const auto& [key, value] : ours.course) {
    const auto before = theirs.course.find(key);
    if (before != theirs.course.end() && before->second != value) changes.push_back({key, value, before->second});
  }
  return changes;
}

std::vector<std::string> differing_settings(const Recipe& now, const Recipe& then) {
  std::vector<std::string> keys;
  for (const Setting& setting : settings()) {
    const bool file = setting.key == "model.name" || setting.key == "model.init" || setting.key == "data.folder";
    if (!file && value_text(setting, now) != value_text(setting, then)) keys.emplace_back(setting.key);
  }
  return keys;
}

}  // namespace effnet::train
