#include "effnet/cli/known_run.h"

#include <algorithm>

#include "effnet/base/text.h"
#include "effnet/report/finetune_file.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

// How to measure without the used images.
std::string remedy(const KnownRun& run, const std::string& folder) {
  std::error_code ignored;
  const fs::path split = run.folder / "split.csv";
  const bool same_images = fs::weakly_canonical(folder, ignored) == fs::weakly_canonical(run.data, ignored);
  if (run.test_too || !same_images || !fs::exists(split, ignored)) return "Images that the run does not have say more";
  return fmt::format("--labels {} measures the images of test only", path_in_shell(split.string()));
}

}  // namespace

std::optional<KnownRun> find_known_run(const std::string& model, const LoadOptions& load, Output& out) {
  if (load.random) return {};
  const formats::FoundModel found = formats::find_model(model);
  if (found.weights != formats::WeightsFrom::file) return {};
  std::error_code ignored;
  // RUN/model.safetensors, RUN/trial/model.safetensors, RUN/trial/checkpoints/best
  const fs::path weights = fs::absolute(found.file, ignored).lexically_normal(), inner = weights.parent_path();
  for (const fs::path& folder : {inner, inner.parent_path(), inner.parent_path().parent_path()}) {
    const fs::path record = folder / "finetune.json", images = folder / transfer::kKnownImagesFile;
    if (!fs::exists(record, ignored) || !fs::exists(images, ignored)) continue;
    try {
      const report::FinetuneFile file = report::read_finetune(record);
      const fs::path inside = weights.lexically_relative(folder);
      const bool is_trial = *inside.begin() == "trial" || inside == fs::path("start") / "trial.safetensors";
      return KnownRun{.folder = folder,
                      .data = file.data.folder,
                      .images = transfer::read_known_images(images),
                      .test_too = std::ranges::count(file.options, "--final") > 0 && !is_trial};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      out.warn(fmt::format("it is unknown which images {} was trained on: {}", model, error.what()));
      return {};
    }
  }
  return {};
}

std::int64_t count_used(const KnownRun& run, const std::vector<data::ImageContent>& contents, const std::string& folder,
                        Output& out) {
  const std::int64_t used = transfer::used_images(contents, run.images, run.test_too);
  if (used > 0) {
    out.warn(fmt::format(
        "{} of {} {} used to train the model of {} or to choose its settings: the accuracy on them says little about "
        "new images. {}",
        grouped(used), count_of(std::ssize(contents), "image"), used == 1 ? "was" : "were", run.folder.string(),
        remedy(run, folder)));
  }
  return used;
}

}  // namespace effnet::cli
