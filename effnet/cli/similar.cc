#include "effnet/cli/similar.h"

#include <optional>

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/data/image_list.h"
#include "effnet/transfer/compute.h"
#include "effnet/transfer/embed.h"
#include "effnet/transfer/knn.h"

namespace effnet::cli {

void declare_options(CLI::App& command, SimilarOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("IMAGE", options.image, "The image to compare with")->required();
  command.add_option("--in", options.folder, "Search the images of this folder and its sub-folders")
      ->type_name("DIR")
      ->required();
  add_number(command, "--top", options.top, 1, 1 << 20, "Show the N most similar images [10]");
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  command.add_flag("--no-cache", options.no_cache, "Neither read nor write embeddings in EFFNET_HOME/features");
  options.load.declare(command);
}

SimilarResult run_similar(const SimilarOptions& o, const Globals& globals, Output& out) {
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  std::vector<std::filesystem::path> files;
  for (data::LabelledImage& image : data::find_images(o.folder).images) files.push_back(std::move(image.path));
  const std::unique_ptr<data::Dataset> folder = data::image_list(std::move(files));
  transfer::EmbedOptions options{.preprocessing = preprocessing_at(model, o.resolution),
                                 .cache = !o.no_cache,
                                 .note = [&](std::string_view text) { out.warn(text); }};
  transfer::Embeddings query = transfer::embed(*data::image_list({o.image}), model, pool, options);
  std::optional<Progress> progress;
  progress.emplace(out, "similar", folder->size());
  options.progress = [&](std::int64_t done, std::int64_t) { progress->update(done); };
  transfer::Embeddings found = transfer::embed(*folder, model, pool, options);
  progress.reset();
  for (const data::CorruptImage& image : found.corrupt)
    out.warn(fmt::format("skipped {}: {}", in_quotes(image.name), image.why));

  const transfer::Compute compute(pool.threads());
  transfer::normalise_rows(query.values, query.width);
  transfer::normalise_rows(found.values, found.width);
  SimilarResult result{{}, std::string(model.weights_from())};
  const auto neighbours = transfer::nearest(compute.context, found.values, query.values, query.width, o.top);
  for (const transfer::Neighbour& one : neighbours.front())
    result.images.push_back({folder->name(found.indices[static_cast<std::size_t>(one.row)]), double{one.similarity}});
  return result;
}

Json to_json(const SimilarResult& result) {
  Json images = Json::array();
  for (const auto& [path, similarity] : result.images) images.push_back({{"path", path}, {"similarity", similarity}});
  return {{"images", std::move(images)}, {"weights", result.weights}};
}

std::string to_text(const SimilarResult& result) {
  std::string text;
  for (const auto& [path, similarity] : result.images) text += fmt::format("{:.4f}  {}\n", similarity, one_line(path));
  return text;
}

Body declare_similar(CLI::App& command, const Globals& globals) { return bind(command, globals, run_similar); }

}  // namespace effnet::cli
