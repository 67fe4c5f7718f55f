// A format of weight files, as the file of its reader describes it. The table of all is in read_weights.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct WeightsFormat {
  std::string_view name;       // WeightsFile::format
  std::string_view title;      // in messages: "a .pth of torch.save"
  std::string_view extension;  // a file of this name is told what is wrong with it as such; may be empty
  bool (*matches)(std::span<const std::byte> bytes) noexcept;
  // Views of `bytes` where that can be; `owner`, which keeps them alive, goes into the tensors that view them.
  tensor::Weights (*parse)(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);
};

std::string readable_formats();  // "safetensors or a .pth of torch.save"

}  // namespace effnet::formats
