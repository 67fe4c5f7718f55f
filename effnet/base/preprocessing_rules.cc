#include "effnet/base/preprocessing_rules.h"

#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet {
namespace {

struct Rule {
  std::string_view name;
  CropOrder order;
  bool fixed_margin;    // true: resize = size + margin; false: floor(size * 8/7), equal to size/0.875 and size*256/224
  std::int64_t margin;  // 32 is CROP_PADDING of the official code
  Filter filter;
  Filter lite_filter;
  // For the normalisation "lite". true: (x - 127) / 128 for a byte x, as in the official Lite code. false: mean and
  // standard deviation 0.5, as in the ports that use Pillow.
  bool lite_in_bytes;
};
constexpr Rule kRules[] = {
    {"official", CropOrder::crop_first, true, 32, Filter::tf_bicubic, Filter::tf_bilinear, true},
    {"pillow", CropOrder::resize_first, true, 32, Filter::bicubic, Filter::bicubic, false},
    {"timm", CropOrder::resize_first, false, 0, Filter::bicubic, Filter::bicubic, false},
    {"torchvision", CropOrder::resize_first, false, 0, Filter::bilinear, Filter::bilinear, false},
    // For small images, whose border must not be lost: resizes the short side to the input size.
    {"whole", CropOrder::resize_first, true, 0, Filter::bicubic, Filter::bicubic, false},
};

struct Normalisation {
  std::string_view name;
  std::array<double, 3> mean, std;
};
constexpr Normalisation kNormalisations[] = {
    {"imagenet", {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
    {"inception", {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
    {"lite", {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
};
constexpr double kLiteMean = 127.0 / 255.0;
constexpr double kLiteStd = 128.0 / 255.0;

}  // namespace

Preprocessing preprocessing_rule(std::string_view rule, std::string_view normalisation, Size resolution) {
  const Rule& row = row_named(kRules, rule, ErrorCode::input, "unknown preprocessing rule");
  const Normalisation& scale = row_named(kNormalisations, normalisation, ErrorCode::input, "unknown normalisation");
  const bool lite = normalisation == "lite";
  const auto resized = [&](std::int64_t pixels) { return row.fixed_margin ? pixels + row.margin : pixels * 8 / 7; };

  Preprocessing result;
  result.rule = row.name;
  result.crop = resolution;
  result.resize = {resized(resolution.h), resized(resolution.w)};
  result.order = row.order;
  result.fixed_margin = row.fixed_margin;
  result.filter = lite ? row.lite_filter : row.filter;
  result.mean = scale.mean;
  result.std = scale.std;
  if (lite && row.lite_in_bytes) {
    result.mean.fill(kLiteMean);
    result.std.fill(kLiteStd);
  }
  return result;
}

}  // namespace effnet
