// The description of one format of weight files, defined beside its reader. The table of formats is in read_weights.cc.
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
  std::string_view title;      // for messages: "a .pth of torch.save"
  std::string_view extension;  // a file of unknown content with this extension is parsed as this format, so that the
                               // message says what is wrong with it; may be empty
  bool (*matches)(std::span<const std::byte> bytes) noexcept;
  // The tensors are views of `bytes` where possible. `owner` keeps `bytes` alive; every view has a reference to it.
  tensor::Weights (*parse)(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner);
};

std::string readable_formats();  // "safetensors or a .pth of torch.save"

}  // namespace effnet::formats
