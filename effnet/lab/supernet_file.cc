#include "effnet/lab/supernet_file.h"

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/formats/checkpoint_sum.h"
#include "effnet/formats/safetensors.h"
#include "effnet/lab/supernet.h"
#include "effnet/search/nas/evaluator.h"

namespace effnet::lab {
namespace {

constexpr const char* kFormat = "effnet.supernet";
constexpr const char* kFormatVersion = "1";
constexpr const char* kSpace = "effnet.supernet.space";
constexpr const char* kTrainOne = "effnet search supernet SPACE --data DIR -o FILE trains a supernet";

// The hints of the reader of weights are about models.
tensor::Weights read_weights(const std::filesystem::path& file) {
  try {
    return formats::read_safetensors(file);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    throw Error(error.code(), error.what(), kTrainOne);
  }
}

// Throws Error(input) without the path.
Supernet parse_supernet(const tensor::Weights& weights, const search::Space& space) {
  const auto text_of = [&](const char* key) -> const std::string& {
    const auto found = weights.metadata.find(key);
    if (found != weights.metadata.end()) return found->second;
    throw input_error(
        "not a supernet (got weights without {} in their metadata, expected a file of effnet search "
        "supernet)",
        key)
        .with_hint(kTrainOne);
  };
  if (const std::string& version = text_of(kFormat); version != kFormatVersion)
    throw input_error("a supernet of another version (got {}, expected {})", in_quotes(version), kFormatVersion);
  const search::Space trained = search::parse_space(text_of(kSpace), "the space in its metadata");
  if (!search::same_networks(trained, space)) {
    throw input_error("a supernet of another space (got {}, expected {})", in_quotes(trained.name),
                      trained.name == space.name ? "the same options and base network" : in_quotes(space.name));
  }
  const tensor::Tensor& bias = weights.at("classifier.bias");
  search::Space sized = space;
  sized.base.classes = bias.dims.size() == 1 ? bias.dims[0] : 0;
  return {.recipe = train::parse_recipe(text_of(search::kSupernetRecipe), "the recipe in its metadata"),
          .classes = sized.base.classes,
          .digest = formats::checkpoint_sum(weights),
          .store = nn::ParameterStore::from_weights(supernet_graph(sized), weights)};
}

}  // namespace

void write_supernet(const std::filesystem::path& file, const search::Space& space, const train::Recipe& recipe,
                    tensor::Weights weights) {
  weights.metadata = {
      {kFormat, kFormatVersion}, {kSpace, search::print(space)}, {search::kSupernetRecipe, train::print(recipe)}};
  formats::write_safetensors(file, weights);
}

Supernet read_supernet(const std::filesystem::path& file, const search::Space& space) {
  const tensor::Weights weights = read_weights(file);
  try {
    return parse_supernet(weights, space);
  } catch (const Error& error) {
    throw error.in(file.string());
  }
}

}  // namespace effnet::lab
