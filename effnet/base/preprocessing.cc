#include "effnet/base/preprocessing.h"

#include <cmath>

#include "effnet/base/names.h"

namespace effnet {
namespace {

constexpr NameTable<Filter, 6> kFilters{{{Filter::box, "box"},
                                         {Filter::bilinear, "bilinear"},
                                         {Filter::bicubic, "bicubic"},
                                         {Filter::lanczos, "lanczos"},
                                         {Filter::tf_bilinear, "tf_bilinear"},
                                         {Filter::tf_bicubic, "tf_bicubic"}}};
constexpr NameTable<CropOrder, 2> kOrders{
    {{CropOrder::crop_first, "crop_first"}, {CropOrder::resize_first, "resize_first"}}};

}  // namespace

std::string_view name(Filter filter) { return name_in(kFilters, filter); }
Filter filter_named(std::string_view text) { return named_in(kFilters, text, "filter"); }
std::string_view name(CropOrder order) { return name_in(kOrders, order); }
CropOrder crop_order_named(std::string_view text) { return named_in(kOrders, text, "crop order"); }

Preprocessing Preprocessing::at(Size resolution) const {
  const auto scaled = [&](std::int64_t to, std::int64_t old_crop, std::int64_t old_resize) {
    if (fixed_margin) return to + (old_resize - old_crop);
    return static_cast<std::int64_t>(
        std::lround(static_cast<double>(to) * static_cast<double>(old_resize) / static_cast<double>(old_crop)));
  };
  Preprocessing result = *this;
  result.crop = resolution;
  result.resize = {scaled(resolution.h, crop.h, resize.h), scaled(resolution.w, crop.w, resize.w)};
  return result;
}

}  // namespace effnet
