// The named preprocessing rules of the published recipes, for any input size. effnet/formats/sources.h has the exact
// sizes of single published weight sets that follow no rule.
// Source: docs/reference/checkpoints.md, sections 3 and 4; docs/reference/lite_weights.md, section 4.
#pragma once

#include <string_view>

#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"

namespace effnet {

// rule            resize -> crop, filter
//   official      centre square of size/(size+32) of the short side, TF1 bicubic (224: 256); lite: TF1 bilinear
//   pillow        short side to size+32, centre crop, Pillow's bicubic
//   timm          short side to floor(size/0.875), centre crop, Pillow's bicubic
//   torchvision   short side to floor(size*256/224), centre crop, Pillow's bilinear
//   whole         short side to size, centre crop, Pillow's bicubic: for small images, whose border must not be lost
// normalisation   imagenet | inception (0.5, 0.5) | lite: (x-127)/128 under `official`, 0.5 and 0.5 under the others
// Throws Error(input) that lists the known names.
EFFNET_API Preprocessing preprocessing_rule(std::string_view rule, std::string_view normalisation, Size resolution);

}  // namespace effnet
