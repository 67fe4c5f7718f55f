#include "effnet/train/run/checkpoint.h"

#include <torch/utils.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "effnet/base/error.h"
#include "effnet/base/json.h"
#include "effnet/base/text.h"
#include "effnet/formats/checkpoint_sum.h"
#include "effnet/formats/safetensors.h"
#include "effnet/train/run/identity.h"

namespace effnet::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

using formats::kCheckpointIdentity;
using formats::kCheckpointState;
using formats::kCheckpointSum;
constexpr int kFormat = 1;

tensor::Dtype dtype_of(const torch::Tensor& tensor, const std::string& name) {
  const std::string storage = fmt::format("torch.{}Storage", torch::toString(tensor.scalar_type()));
  const auto dtype = tensor::find_dtype(&tensor::DtypeInfo::storage, storage);
  if (!dtype) throw internal_error("{}: a checkpoint cannot store this data type", name);
  return *dtype;
}

// The tensor's bytes in CPU memory, row-major: a copy, or the tensor's own memory if it already has this layout.
tensor::Tensor to_file(const torch::Tensor& tensor, const std::string& name) {
  const auto plain = std::make_shared<torch::Tensor>(tensor.detach().to(torch::kCPU).contiguous());
  tensor::Tensor result;
  result.dtype = dtype_of(*plain, name);
  result.dims = plain->sizes().vec();
  result.bytes = {static_cast<const std::byte*>(plain->data_ptr()), static_cast<std::size_t>(plain->nbytes())};
  result.owner = plain;
  return result;
}

Json to_json(const Position& p) {
  return {{"epoch", p.epoch},           {"batch", p.batch},     {"loss_sum", p.loss_sum},
          {"right", p.right},           {"images", p.images},   {"best_top1", p.best_top1},
          {"best_epoch", p.best_epoch}, {"seconds", p.seconds}, {"metrics_bytes", p.metrics_bytes},
          {"epochs", p.epochs}};
}

Position to_position(const Json& json) {
  Position p;
  json.at("epoch").get_to(p.epoch);
  json.at("batch").get_to(p.batch);
  json.at("loss_sum").get_to(p.loss_sum);
  json.at("right").get_to(p.right);
  json.at("images").get_to(p.images);
  json.at("best_top1").get_to(p.best_top1);
  json.at("best_epoch").get_to(p.best_epoch);
  json.at("seconds").get_to(p.seconds);
  json.at("metrics_bytes").get_to(p.metrics_bytes);
  json.at("epochs").get_to(p.epochs);
  return p;
}

torch::Tensor from_file(const tensor::Tensor& tensor, const torch::Tensor& like) {
  torch::Tensor plain = torch::empty(tensor.dims, torch::TensorOptions().dtype(like.scalar_type()));
  std::memcpy(plain.data_ptr(), tensor.bytes.data(), tensor.bytes.size());
  return plain;
}

}  // namespace

void write_checkpoint(const fs::path& file, Trainer& trainer, const Position& position, const std::string& identity,
                      const ModelMetadata& model) {
  tensor::Weights weights;
  for (const auto& [key, text] : model) weights.metadata[key] = text;
  for (const auto& [name, tensor] : trainer.state()) weights.tensors.emplace(name, to_file(tensor, name));
  Json scalars = Json::object();
  for (const auto& [name, value] : trainer.scalars()) scalars[name] = value;
  weights.metadata[kCheckpointState] =
      Json{{"format", kFormat}, {"position", to_json(position)}, {"scalars", std::move(scalars)}}.dump();
  weights.metadata[kCheckpointIdentity] = identity;
  weights.metadata[kCheckpointSum] = formats::checkpoint_sum(weights);
  formats::write_safetensors(file, weights);
}

CheckpointFile open_checkpoint(const fs::path& file) {
  CheckpointFile result;
  result.weights = formats::read_safetensors(file);
  const auto& metadata = result.weights.metadata;
  for (const char* key : {kCheckpointState, kCheckpointIdentity, kCheckpointSum}) {
    if (!metadata.contains(key))
      throw input_error("{}: not a checkpoint (got no {} in its metadata)", file.string(), key);
  }
  const Json state = parse_json<Json>(metadata.find(kCheckpointState)->second);
  const int format = state.is_object() ? state.value("format", 0) : 0;
  if (format > kFormat)
    throw input_error("{}: a checkpoint of a newer effnet (got format {}, expected at most {})", file.string(), format,
                      kFormat);
  const std::string sum = formats::checkpoint_sum(result.weights);
  if (sum != metadata.find(kCheckpointSum)->second)
    throw input_error("{}: damaged (got checksum {}, expected {})", file.string(), sum,
                      in_quotes(metadata.find(kCheckpointSum)->second));
  try {
    result.position = to_position(state.at("position"));
    state.at("scalars").get_to(result.scalars);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: damaged state ({})", file.string(), error.what());
  }
  result.identity = metadata.find(kCheckpointIdentity)->second;
  return result;
}

void restore(const CheckpointFile& checkpoint, const fs::path& file, Trainer& trainer, const std::string& identity) {
  try {
    changes_on_resume(identity, checkpoint.identity);
  } catch (const Error& error) {
    throw error.in(file.string());
  }
  const auto state = trainer.state();
  for (const auto& [name, tensor] : state) {
    const tensor::Tensor* found = checkpoint.weights.find(name);
    if (found == nullptr) throw input_error("{}: tensor {} is missing", file.string(), name);
    if (found->dims != tensor.sizes().vec() || found->dtype != dtype_of(tensor, name))
      throw input_error("{}: tensor {} does not fit (got {} {}, expected {} {})", file.string(), name,
                        tensor::name(found->dtype), tensor::to_string(found->dims),
                        tensor::name(dtype_of(tensor, name)), tensor::to_string(tensor.sizes().vec()));
  }
  if (state.size() != checkpoint.weights.tensors.size())
    throw input_error("{}: wrong number of tensors (got {}, expected {})", file.string(),
                      checkpoint.weights.tensors.size(), state.size());
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state) tensor.copy_(from_file(checkpoint.weights.at(name), tensor));
  for (const auto& [name, value] : checkpoint.scalars) trainer.set_scalar(name, value);
}

}  // namespace effnet::train
