// The named preprocessing rules of the published recipes, for any input size. effnet/formats/sources.h has the exact
// sizes of single published weight sets that follow no rule.
// Source: docs/reference/checkpoints.md, sections 3 and 4; docs/reference/lite_weights.md, section 4.
#pragma once

#include <string_view>

#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"

namespace effnet {

// `size` is a side of `resolution` in pixels.
// rule            how an image becomes size x size pixels
//   official      cuts out the centre square with size/(size+32) of the short side (for size 224: 224/256), then
//                 resizes it to size with TensorFlow 1's bicubic filter (normalisation lite: bilinear)
//   pillow        resizes the short side to size+32 with Pillow's bicubic filter, then takes the centre crop
//   timm          resizes the short side to floor(size/0.875) with Pillow's bicubic filter, then takes the centre crop
//   torchvision   resizes the short side to floor(size*256/224) with Pillow's bilinear filter, then the centre crop
//   whole         resizes the short side to size with Pillow's bicubic filter, then takes the centre crop: for small
//                 images, whose border must not be lost
// normalisation   how a value x (a byte, 0 to 255) becomes a number
//   imagenet      ImageNet's mean and standard deviation of each channel
//   inception     mean 0.5 and standard deviation 0.5 of x/255
//   lite          rule official: (x-127)/128; other rules: as inception
// Throws Error(input) that lists the known names.
EFFNET_API Preprocessing preprocessing_rule(std::string_view rule, std::string_view normalisation, Size resolution);

}  // namespace effnet
