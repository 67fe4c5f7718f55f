// The file of a trained supernet: safetensors with the tensors of supernet_graph(), and in its metadata
//   effnet.supernet          "1"; a higher number is rejected
//   effnet.supernet.space    the space as text (search::print)
//   effnet.supernet.recipe   the recipe that it was trained with, as TOML
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "effnet/nn/network.h"
#include "effnet/search/space/space.h"
#include "effnet/tensor/tensor.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::lab {

struct Supernet {
  train::Recipe recipe;
  std::int64_t classes = 0;
  std::string digest;                         // formats::checkpoint_sum()
  std::shared_ptr<nn::ParameterStore> store;  // on the CPU
};

// The same weights, space and recipe give the same bytes.
void write_supernet(const std::filesystem::path& file, const search::Space& space, const train::Recipe& recipe,
                    tensor::Weights weights);
// Throws Error(input) if the file is missing or damaged, is no supernet, or is one of another space. The number of
// classes is that of the file.
Supernet read_supernet(const std::filesystem::path& file, const search::Space& space);

}  // namespace effnet::lab
