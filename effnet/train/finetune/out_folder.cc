#include "effnet/train/finetune/out_folder.h"

#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/train/recipe/settings.h"
#include "effnet/transfer/known_images.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;

// What a command writes before its first result, which is finetune.json.
constexpr std::string_view kBeforeResults[] = {"finetune.lock", "start", "split.csv", "near_duplicates.csv",
                                               transfer::kKnownImagesFile};

}  // namespace

void check_settings(const std::vector<Override>& settings) {
  for (const Override& one : settings) {
    if (std::ranges::count(settings_of_finetune(), one.key) == 0) continue;
    throw usage_error("--set {}: effnet finetune sets it itself (got {})", one.key, in_quotes(one.value))
        .with_hint("--model, --labels and --time-budget choose the model, the labels and the time");
  }
}

std::vector<std::string> option_texts(const FinetuneOptions& options) {
  std::error_code ignored;
  const auto absolute = [&](const fs::path& path) { return fs::absolute(path, ignored).lexically_normal().string(); };
  std::vector<std::string> texts{"DIR " + absolute(options.data), "--model " + options.model};
  if (!options.from.empty()) texts.push_back("--from " + absolute(options.from));
  if (!options.labels.empty()) texts.push_back("--labels " + absolute(options.labels));
  if (options.budget_s > 0) texts.push_back(fmt::format("--time-budget {}s", options.budget_s));
  if (options.recipe != FinetuneOptions{}.recipe) texts.push_back("--recipe " + options.recipe);
  if (options.final_on_all) texts.emplace_back("--final");
  std::map<std::string, std::string> settings;  // of two values of one key the last one counts
  for (const Override& one : options.settings) settings[one.key] = one.value;
  for (const auto& [key, value] : settings) texts.push_back(fmt::format("--set {}={}", key, value));
  return texts;
}

void check_length(const FinetuneOptions& options) {
  const auto epochs = std::ranges::find(options.settings, "train.epochs", &Override::key);
  if (options.budget_s <= 0 || epochs == options.settings.end()) return;
  throw usage_error("--time-budget: it has no effect with --set train.epochs={} (got both, expected one of them)",
                    epochs->value)
      .with_hint(
          "--time-budget chooses the number of epochs, the resolution and the average of the weights by the time");
}

void check_texts(const FinetuneOptions& options) {
  std::error_code ignored;
  std::vector<std::string> texts = option_texts(options);
  texts.push_back("--out " + fs::absolute(options.out, ignored).string());
  for (const std::string& text : texts) {
    const std::size_t blank = text.find(' ');
    check_utf8(text.substr(0, blank), text.substr(blank + 1), "the run");
  }
}

void require_same_options(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  if (std::ranges::is_permutation(before, now)) return;
  const auto only_in = [](const std::vector<std::string>& some, const std::vector<std::string>& others) {
    std::string text;
    for (const std::string& one : some) {
      if (std::ranges::count(others, one) == 0) text += (text.empty() ? "" : ", ") + one;
    }
    return text.empty() ? std::string("nothing else") : text;
  };
  throw usage_error("--resume needs the options of the stopped command (got {}, expected {})", only_in(now, before),
                    only_in(before, now))
      .with_hint("repeat the command with the same options, or use another --out");
}

void check_out(const FinetuneOptions& options, bool fresh) {
  std::error_code ignored;
  const auto canonical = [&](const fs::path& path) {
    return fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  };
  const fs::path out = canonical(options.out), data = canonical(options.data);
  if (std::mismatch(data.begin(), data.end(), out.begin(), out.end()).first == data.end())
    throw usage_error("--out: {} is inside of the folder of images (expected another folder)", options.out.string())
        .with_hint("its files would be taken for images of a class");
  if (!fresh && !options.resume)
    throw usage_error("{}: already contains a run (expected an empty or a new folder)", options.out.string())
        .with_hint("--resume continues that run; another --out starts a new one");
  for (const std::string_view name : kBeforeResults) {
    if (!options.labels.empty() && fs::equivalent(options.labels, options.out / name, ignored))
      throw usage_error("--labels: {} would be replaced, because --out writes a file of this name",
                        options.labels.string())
          .with_hint("move the list, or use another --out");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(options.out, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!fresh || name.starts_with(".") || std::ranges::count(kBeforeResults, name) != 0) continue;
    throw usage_error("{}: the folder is not empty (got {}, expected an empty or a new folder)", options.out.string(),
                      in_quotes(name))
        .with_hint("use another --out");
  }
}

void remove_traces(const fs::path& out) {
  std::error_code ignored;
  if (fs::exists(out / "finetune.json", ignored)) return;
  for (const std::string_view name : kBeforeResults) fs::remove(out / name, ignored);
  fs::remove(out, ignored);  // does nothing if the folder is not empty
}

}  // namespace effnet::train
