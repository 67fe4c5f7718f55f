#include "effnet/cli/features.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/output_files.h"
#include "effnet/formats/npy.h"
#include "effnet/formats/safetensors.h"
#include "effnet/transfer/embed.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

bool is_npy(const FeaturesOptions& o) {
  const std::string extension = extension_of(o.out);
  if (extension != ".npy" && extension != ".safetensors")
    throw usage_error("-o: format not supported (got {}, expected a .npy or .safetensors file)", in_quotes(o.out));
  if (o.maps && extension == ".npy")
    throw usage_error("--maps: a .npy file has one array only (got {}, expected a .safetensors file)",
                      in_quotes(o.out));
  return extension == ".npy";
}

// An image that the user named must be readable; a corrupt image of a folder is left out.
void check_named(const FeaturesOptions& o, const std::vector<data::CorruptImage>& corrupt) {
  const std::set<std::string> named(o.images.begin(), o.images.end());
  for (const data::CorruptImage& image : corrupt) {
    if (named.contains(image.name)) throw input_error("{}: {}", image.name, image.why);
  }
}

tensor::Weights tensors(transfer::EmbeddingsWithMaps result, const FeaturesResult& found,
                        const model::ModelHandle& model) {
  tensor::Weights weights;
  weights.tensors["features"] = tensor::make_tensor(found.shape, std::move(result.embeddings.values));
  for (std::size_t i = 0; i < result.maps.size(); ++i) {
    auto& [shape, values] = result.maps[i];
    weights.tensors[fmt::format("reduction_{}", i + 1)] =
        tensor::make_tensor({found.shape[0], shape.c, shape.h, shape.w}, std::move(values));
  }
  weights.metadata["model"] = model.arch().name;
  weights.metadata["files"] = json_text(Json(found.files));
  return weights;
}

}  // namespace

std::vector<fs::path> expand_folders(const std::vector<std::string>& arguments) {
  std::vector<fs::path> files;
  for (const std::string& argument : arguments) {
    std::error_code ignored;
    if (!fs::is_directory(argument, ignored)) {
      files.emplace_back(argument);
      continue;
    }
    for (data::LabelledImage& image : data::find_images(argument).images) files.push_back(std::move(image.path));
  }
  return files;
}

void declare_options(CLI::App& command, FeaturesOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("IMAGE", options.images, "Image files, or folders, which are searched with all sub-folders")
      ->required();
  add_output(command, "-o,--out", options.out,
             "Write the embeddings to this file: one float32 row for each image, in the order of the printed paths")
      ->type_name("OUT.npy|OUT.safetensors")
      ->required();
  command.add_flag("--maps", options.maps,
                   "Also write the feature maps at 1/2 to 1/32 of the input size, as reduction_1 to reduction_5");
  command.add_option("--resolution", options.resolution, kResolutionHelp)->type_name("R");
  command.add_flag("--no-cache", options.no_cache, "Neither read nor write embeddings in EFFNET_HOME/features");
  options.load.declare(command);
}

FeaturesResult run_features(const FeaturesOptions& o, const Globals& globals, Output& out) {
  check_no_stdout("-o", o.out);
  const bool npy = is_npy(o);
  for (const std::string& image : o.images) check_not_input("-o", o.out, image);
  check_not_input("-o", o.out, o.model);
  ThreadPool pool(thread_count(globals));
  model::ModelHandle model = load_model(o.model, o.load, pool, out);
  const std::unique_ptr<data::Dataset> set = data::image_list(expand_folders(o.images));
  std::optional<Progress> progress;
  progress.emplace(out, "features", set->size());
  const transfer::EmbedOptions options{.preprocessing = preprocessing_at(model, o.resolution),
                                       .cache = !o.no_cache,
                                       .progress = [&](std::int64_t done, std::int64_t) { progress->update(done); },
                                       .note = [&](std::string_view text) { out.warn(text); }};
  transfer::EmbeddingsWithMaps result;
  if (o.maps) {
    result = transfer::embed_with_maps(*set, model, pool, options);
  } else {
    result.embeddings = transfer::embed(*set, model, pool, options);
  }
  progress.reset();
  const transfer::Embeddings& embeddings = result.embeddings;
  check_named(o, embeddings.corrupt);

  FeaturesResult found{o.out, std::string(model.weights_from()), {}, {embeddings.images(), embeddings.width}, {}};
  for (const std::int64_t index : embeddings.indices) found.files.push_back(set->name(index));
  for (const data::CorruptImage& image : embeddings.corrupt) {
    found.skipped.push_back({image.name, image.why});
    out.warn(fmt::format("skipped {}: {}", in_quotes(image.name), image.why));
  }
  if (npy) {
    formats::write_npy(o.out, embeddings.values, found.shape);
  } else {
    formats::write_safetensors(o.out, tensors(std::move(result), found, model));
  }
  out.say(fmt::format("{} x {} values written to {}", found.shape[0], found.shape[1], o.out));
  return found;
}

Json to_json(const FeaturesResult& result) {
  Json skipped = Json::array();
  for (const data::SkippedFile& file : result.skipped)
    skipped.push_back({{"path", file.path.string()}, {"why", file.why}});
  return {{"path", result.path},   {"images", result.files.size()}, {"shape", result.shape},
          {"files", result.files}, {"weights", result.weights},     {"skipped", std::move(skipped)}};
}

std::string to_text(const FeaturesResult& result) {
  std::string text;
  for (const std::string& file : result.files) text += one_line(file) + "\n";
  return text;
}

Body declare_features(CLI::App& command, const Globals& globals) { return bind(command, globals, run_features); }

}  // namespace effnet::cli
