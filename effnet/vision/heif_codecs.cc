#include "effnet/vision/heif_codecs.h"

#include <dav1d/dav1d.h>
#include <libde265/de265.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

Error corrupt(std::string_view what) {
  return input_error("corrupt or unsupported AVIF or HEIC file (got {}, expected a complete image)", what);
}

// Returns the number of pixels that a decoder may allocate for an image of `size`. It is larger than the image, because
// coded images are padded to whole blocks.
std::int64_t max_pixels(Size size) { return (size.h + 64) * (size.w + 64); }

void copy_plane(const std::uint8_t* from, std::ptrdiff_t stride, int bits, Size size, std::vector<std::uint16_t>& to) {
  to.resize(static_cast<std::size_t>(size.h * size.w));
  for (std::int64_t y = 0; y < size.h; ++y, from += stride) {
    std::uint16_t* row = to.data() + y * size.w;
    if (bits == 8) {
      for (std::int64_t x = 0; x < size.w; ++x) row[x] = from[x];
    } else {
      std::memcpy(row, from, 2 * static_cast<std::size_t>(size.w));
    }
  }
}

// ---- AV1 ----
struct CloseAv1 {
  void operator()(Dav1dContext* context) const { dav1d_close(&context); }
};

Planes decode_av1(const HeifCoded& coded) {
  Dav1dSettings settings;
  dav1d_default_settings(&settings);
  settings.n_threads = 1;
  settings.max_frame_delay = 1;
  settings.all_layers = 0;
  settings.frame_size_limit = static_cast<unsigned>(max_pixels(coded.size));
  settings.logger = {nullptr, nullptr};
  Dav1dContext* opened = nullptr;
  if (dav1d_open(&opened, &settings) != 0) throw environment_error("AVIF: not enough memory");
  const std::unique_ptr<Dav1dContext, CloseAv1> context(opened);

  Dav1dData data{};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(coded.data.data());
  if (dav1d_data_wrap(
          &data, bytes, coded.data.size(), [](const std::uint8_t*, void*) {}, nullptr) != 0)
    throw environment_error("AVIF: not enough memory");
  Dav1dPicture decoded{};
  int result = DAV1D_ERR(EAGAIN);
  while (result == DAV1D_ERR(EAGAIN)) {
    const bool more = data.sz > 0;
    if (more && (result = dav1d_send_data(context.get(), &data)) < 0 && result != DAV1D_ERR(EAGAIN)) break;
    result = dav1d_get_picture(context.get(), &decoded);
    if (!more) break;
  }
  dav1d_data_unref(&data);
  if (result != 0) throw corrupt("invalid AV1 data");
  const std::unique_ptr<Dav1dPicture, void (*)(Dav1dPicture*)> released(&decoded, dav1d_picture_unref);

  Planes planes;
  planes.size = {decoded.p.h, decoded.p.w};
  planes.bits = decoded.p.bpc;
  planes.grey = decoded.p.layout == DAV1D_PIXEL_LAYOUT_I400;
  planes.halved_x = decoded.p.layout == DAV1D_PIXEL_LAYOUT_I420 || decoded.p.layout == DAV1D_PIXEL_LAYOUT_I422 ? 1 : 0;
  planes.halved_y = decoded.p.layout == DAV1D_PIXEL_LAYOUT_I420 ? 1 : 0;
  planes.colour = {decoded.seq_hdr->mtrx, decoded.seq_hdr->color_range != 0};
  if (planes.size.h != coded.size.h || planes.size.w != coded.size.w)
    throw corrupt("an image whose size is not the declared one");
  for (int i = 0; i < (planes.grey ? 1 : 3); ++i) {
    copy_plane(static_cast<const std::uint8_t*>(decoded.data[i]), decoded.stride[i > 0 ? 1 : 0], planes.bits,
               plane_size(planes, static_cast<std::size_t>(i)), planes.samples[static_cast<std::size_t>(i)]);
  }
  return planes;
}

// ---- HEVC ----
struct CloseHevc {
  void operator()(de265_decoder_context* context) const { de265_free_decoder(context); }
};

int bounded_buffer(de265_decoder_context* context, de265_image_spec* spec, de265_image* image, void* limit) {
  if (std::int64_t{spec->width} * spec->height > *static_cast<const std::int64_t*>(limit)) return 0;
  return de265_get_default_image_allocation_functions()->get_buffer(context, spec, image, nullptr);
}
void free_buffer(de265_decoder_context* context, de265_image* image, void*) {
  de265_get_default_image_allocation_functions()->release_buffer(context, image, nullptr);
}

// Removes `count` units from `bytes`, or fewer if there are no more, and calls `use` for each. Before each unit is its
// length, a big-endian number of `width` bytes.
template <class Use>
void for_each_unit(std::span<const std::byte>& bytes, std::size_t width, std::size_t count, Use use) {
  for (; count > 0 && !bytes.empty(); --count) {
    std::size_t length = 0;
    if (bytes.size() < width) throw corrupt("invalid HEVC data");
    for (std::size_t i = 0; i < width; ++i) length = length << 8 | std::to_integer<std::size_t>(bytes[i]);
    bytes = bytes.subspan(width);
    if (length > bytes.size()) throw corrupt("invalid HEVC data");
    use(bytes.first(length));
    bytes = bytes.subspan(length);
  }
}

Planes decode_hevc(const HeifCoded& coded) {
  std::int64_t limit = max_pixels(coded.size);
  de265_image_allocation allocation{bounded_buffer, free_buffer};
  const std::unique_ptr<de265_decoder_context, CloseHevc> context(de265_new_decoder());
  if (context == nullptr) throw environment_error("HEIC: not enough memory");
  de265_set_image_allocation_functions(context.get(), &allocation, &limit);
  const auto push = [&](std::span<const std::byte> unit) {
    if (de265_push_NAL(context.get(), unit.data(), static_cast<int>(unit.size()), 0, nullptr) != DE265_OK)
      throw corrupt("invalid HEVC data");
  };

  // hvcC: the low two bits of byte 21 are the width of the lengths in the image data, minus 1. Byte 22 is the number of
  // lists of parameter sets. A list begins with its kind (1 byte) and its number of units (2 bytes).
  constexpr std::size_t kHead = 23;
  if (coded.config.size() < kHead) throw corrupt("HEVC data without parameters");
  std::span<const std::byte> lists = coded.config.subspan(kHead);
  for (auto list = std::to_integer<int>(coded.config[22]); list > 0 && lists.size() >= 3; --list) {
    const auto count = std::to_integer<std::size_t>(lists[1]) << 8 | std::to_integer<std::size_t>(lists[2]);
    lists = lists.subspan(3);
    for_each_unit(lists, 2, count, push);
  }
  std::span<const std::byte> data = coded.data;
  for_each_unit(data, (std::to_integer<std::size_t>(coded.config[21]) & 3) + 1, coded.data.size(), push);
  de265_flush_data(context.get());

  const de265_image* decoded = nullptr;
  for (int more = 1; more != 0 && decoded == nullptr;) {
    more = 0;
    if (de265_decode(context.get(), &more) != DE265_OK) throw corrupt("invalid HEVC data");
    decoded = de265_get_next_picture(context.get());
  }
  const de265_error warning = de265_get_warning(context.get());
  const bool harmless = warning == DE265_OK || warning == DE265_WARNING_NO_WPP_CANNOT_USE_MULTITHREADING;
  if (decoded == nullptr || !harmless) throw corrupt("invalid HEVC data");

  Planes planes;
  planes.size = {de265_get_image_height(decoded, 0), de265_get_image_width(decoded, 0)};
  planes.bits = de265_get_bits_per_pixel(decoded, 0);
  const de265_chroma chroma = de265_get_chroma_format(decoded);
  planes.grey = chroma == de265_chroma_mono;
  planes.halved_x = chroma == de265_chroma_420 || chroma == de265_chroma_422 ? 1 : 0;
  planes.halved_y = chroma == de265_chroma_420 ? 1 : 0;
  planes.colour = {de265_get_image_matrix_coefficients(decoded), de265_get_image_full_range_flag(decoded) != 0};
  if (planes.size.h != coded.size.h || planes.size.w != coded.size.w)
    throw corrupt("an image whose size is not the declared one");
  for (int i = 0; i < (planes.grey ? 1 : 3); ++i) {
    const Size size = plane_size(planes, static_cast<std::size_t>(i));
    int stride = 0;
    const std::uint8_t* from = de265_get_image_plane(decoded, i, &stride);
    if (from == nullptr || de265_get_image_width(decoded, i) < size.w || de265_get_image_height(decoded, i) < size.h ||
        de265_get_bits_per_pixel(decoded, i) != planes.bits) {
      throw corrupt("planes of unexpected size or depth");
    }
    copy_plane(from, stride, planes.bits, size, planes.samples[static_cast<std::size_t>(i)]);
  }
  return planes;
}

}  // namespace

Size plane_size(const Planes& planes, std::size_t plane) {
  if (plane == 0) return planes.size;
  return {(planes.size.h + planes.halved_y) >> planes.halved_y, (planes.size.w + planes.halved_x) >> planes.halved_x};
}

Planes decode_coded(const HeifCoded& coded) {
  return coded.codec == HeifCodec::av1 ? decode_av1(coded) : decode_hevc(coded);
}

}  // namespace effnet::vision
