// Short texts in images, in a fixed font of 5 x 8 pixels. The font is part of the program, so that an image with text
// needs no font file. It has the printable ASCII characters; every other character is drawn as an empty box.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "effnet/vision/image.h"

namespace effnet::vision {

using Rgb = std::array<std::uint8_t, 3>;
inline constexpr Rgb kBlack{0, 0, 0}, kWhite{255, 255, 255};

// Draws a UTF-8 text with its upper left corner at (top, left). Each pixel of the font becomes scale x scale pixels;
// characters are 6 x scale apart. Pixels outside of the image are left out. Bytes that are not UTF-8 are drawn as
// boxes.
void draw_text(Image& image, std::int64_t top, std::int64_t left, std::string_view text, std::int64_t scale = 1,
               Rgb colour = kBlack);

Size text_size(std::string_view text, std::int64_t scale = 1);  // in pixels, without space after the last character

// Returns the text if it is at most `width` pixels wide; otherwise its beginning and "..".
std::string shortened(std::string_view text, std::int64_t width, std::int64_t scale = 1);

}  // namespace effnet::vision
