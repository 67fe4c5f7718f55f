#include "effnet/train/step/images.h"

namespace effnet::train {

torch::Tensor images_of(const data::Batch& batch, std::int64_t first, std::int64_t n, const Chw& in,
                        torch::Device device) {
  float* const begin = const_cast<float*>(batch.images.data()) +
                       first * in.numel();  // from_blob() needs a non-const pointer; the memory is only read
  return torch::from_blob(begin, {n, in.h, in.w, in.c}, torch::kFloat).permute({0, 3, 1, 2}).to(device);
}

}  // namespace effnet::train
