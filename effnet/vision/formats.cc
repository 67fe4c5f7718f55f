#include "effnet/vision/formats.h"

#include <algorithm>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/encode.h"

namespace effnet::vision {
namespace {

using namespace std::string_view_literals;

// A file has the format of the first row with a matching signature. If one row's signature is the beginning of another
// row's signature, the row with the longer signature is above.
const std::vector<Format>& formats() {
  constexpr int kQuality = 90;
  constexpr auto kByImageMagick = "convert IN OUT.png (ImageMagick)"sv;
  static const std::vector<Format> kFormats{
      {"JPEG",
       {".jpg", ".jpeg", ".jpe", ".jfif"},
       {{0, "\xff\xd8\xff"sv}},
       decode_jpeg,
       {},
       [](const Image& image) { return encode_jpeg(image, kQuality); }},
      {"PNG", {".png", ".apng"}, {{0, "\x89PNG\r\n\x1a\n"sv}}, decode_png, {}, encode_png},
      // The signature follows "RIFF" and a size; WebPDemux checks both.
      {"WebP",
       {".webp"},
       {{8, "WEBP"sv}},
       decode_webp,
       {},
       [](const Image& image) { return encode_webp(image, kQuality); }},
      {"GIF", {".gif"}, {{0, "GIF87a"sv}, {0, "GIF89a"sv}}, decode_gif, {}},
      {"BMP", {".bmp", ".dib"}, {{0, "BM"sv}}, decode_bmp, {}},
      {"a camera raw file",
       {".raw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".rwl",
        ".raf", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".x3f", ".mrw", ".kdc", ".dcr", ".mef", ".mos", ".erf"},
       {{0, "II*\0\x10\0\0\0CR"sv},
        {4, "ftypcrx"sv},
        {6, "HEAPCCDR"sv},
        {0, "IIRO"sv},
        {0, "IIRS"sv},
        {0, "MMOR"sv},
        {0, "IIU\0"sv},
        {0, "FUJIFILMCCD-RAW"sv},
        {0, "FOVb"sv},
        {0, "\0MRM"sv}},
       nullptr,
       "darktable-cli IN OUT.jpg (darktable)"},
      {"TIFF", {".tif", ".tiff"}, {{0, "II*\0"sv}, {0, "MM\0*"sv}, {0, "II+\0"sv}, {0, "MM\0+"sv}}, decode_tiff, {}},
      {"AVIF", {".avif", ".avifs"}, {{4, "ftypavi"sv}}, decode_heif},
      {"HEIC",
       {".heic", ".heif", ".hif", ".heics", ".heifs"},
       {{4, "ftyphei"sv}, {4, "ftyphev"sv}, {4, "ftypmif1"sv}, {4, "ftypmsf1"sv}},
       decode_heif},
      {"a video file",
       {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp"},
       {{4, "ftyp"sv}, {8, "AVI "sv}, {0, "\x1a\x45\xdf\xa3"sv}, {0, "\0\0\1\xba"sv}},
       nullptr,
       "ffmpeg -i IN -frames:v 1 OUT.png"},
      {"a JPEG XL file",
       {".jxl"},
       {{0, "\xff\x0a"sv}, {4, "JXL \r\n\x87\n"sv}},
       nullptr,
       "djxl IN OUT.png (libjxl-tools)"},
      {"a JPEG 2000 file",
       {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"},
       {{4, "jP  \r\n\x87\n"sv}, {0, "\xff\x4f\xff\x51"sv}},
       nullptr,
       "opj_decompress -i IN -o OUT.png (libopenjp2-tools)"},
      {"a Photoshop file", {".psd", ".psb"}, {{0, "8BPS"sv}}, nullptr, "convert 'IN[0]' OUT.png (ImageMagick)"},
      {"a GIMP file", {".xcf"}, {{0, "gimp xcf"sv}}, nullptr, kByImageMagick},
      {"a PDF file", {".pdf"}, {{0, "%PDF"sv}}, nullptr, "pdftoppm -png IN OUT (poppler-utils)"},
      {"a PostScript file",
       {".eps", ".ps"},
       {{0, "%!PS"sv}},
       nullptr,
       "gs -sDEVICE=png16m -r150 -o OUT.png IN (ghostscript)"},
      {"an SVG drawing", {".svg", ".svgz"}, {}, nullptr, "rsvg-convert -o OUT.png IN (librsvg2-bin)"},
      {"an icon file", {".ico", ".cur"}, {{0, "\0\0\1\0"sv}, {0, "\0\0\2\0"sv}}, nullptr, "icotool -x IN (icoutils)"},
      {"a Netpbm image",
       {".ppm", ".pgm", ".pbm", ".pnm", ".pam"},
       {{0, "P1\n"sv}, {0, "P2\n"sv}, {0, "P3\n"sv}, {0, "P4\n"sv}, {0, "P5\n"sv}, {0, "P6\n"sv}, {0, "P7\n"sv}},
       nullptr,
       "pnmtopng IN >OUT.png (netpbm)"},
      {"a Targa image", {".tga"}, {}, nullptr, kByImageMagick},
      {"a PCX image", {".pcx"}, {}, nullptr, kByImageMagick},
      {"a DirectDraw surface", {".dds"}, {{0, "DDS "sv}}, nullptr, kByImageMagick},
      {"an OpenEXR image", {".exr"}, {{0, "\x76\x2f\x31\x01"sv}}, nullptr, "exrtopng IN OUT.png (exrtools)"},
      {"a Radiance image", {".hdr"}, {{0, "#?RADIANCE"sv}}, nullptr, kByImageMagick},
      {"a DICOM image", {".dcm", ".dicom"}, {}, nullptr, "dcm2pnm --write-png IN OUT.png (dcmtk)"},
      {"a NumPy array", {".npy", ".npz"}, {{0, "\x93NUMPY"sv}}, nullptr, {}},
      {"a ZIP file", {".zip"}, {{0, "PK\3\4"sv}}, nullptr, "unzip IN"},
      {"a gzip file", {".gz", ".tgz"}, {{0, "\x1f\x8b"sv}}, nullptr, "gunzip IN"},
      {"an HDF5 file", {".h5", ".hdf5"}, {{0, "\x89HDF"sv}}, nullptr, {}},
      {"a Git LFS pointer, not the file itself", {}, {{0, "version https://git-lfs"sv}}, nullptr, "git lfs pull"},
  };
  return kFormats;
}

const Format* find_extension(const std::filesystem::path& path) {
  const std::string extension = extension_of(path);
  const auto found = std::ranges::find_if(formats(), [&](const Format& format) {
    return std::ranges::find(format.extensions, extension) != format.extensions.end();
  });
  return found == formats().end() ? nullptr : &*found;
}

template <class Chosen>
std::string common_extensions(Chosen chosen) {
  std::vector<std::string> extensions;
  for (const Format& format : formats()) {
    if (chosen(format)) extensions.emplace_back(format.extensions.front());
  }
  return one_of(extensions);
}

}  // namespace

const Format* find_format(std::string_view head) {
  const auto found = std::ranges::find_if(formats(), [&](const Format& format) {
    return std::ranges::any_of(format.signatures, [&](const Signature& signature) {
      return head.size() >= signature.offset && head.substr(signature.offset).starts_with(signature.bytes);
    });
  });
  return found == formats().end() ? nullptr : &*found;
}

bool is_image_name(const std::filesystem::path& path) {
  const Format* format = find_extension(path);
  return format != nullptr && format->decode != nullptr;
}

std::string image_formats() {
  std::vector<std::string> names;
  for (const Format& format : formats()) {
    if (format.decode != nullptr) names.emplace_back(format.name);
  }
  return one_of(names);
}

std::string image_extensions() {
  return common_extensions([](const Format& format) { return format.decode != nullptr; });
}

std::string written_extensions() {
  return common_extensions([](const Format& format) { return format.encode != nullptr; });
}

Encoder image_encoder(const std::filesystem::path& path) {
  if (path.extension().empty()) return encode_png;
  const Format* format = find_extension(path);
  if (format == nullptr || format->encode == nullptr) {
    throw usage_error("{}: effnet cannot write this format (got extension {}, expected {})", path.string(),
                      in_quotes(path.extension().string()), written_extensions());
  }
  return format->encode;
}

std::string about_other_name(const std::filesystem::path& path) {
  const Format* format = find_extension(path);
  if (format == nullptr || format->decode != nullptr) return "not an image by its name";
  if (format->convert.empty()) return fmt::format("{} by its name", format->name);
  return fmt::format("{} by its name; to convert it: {}", format->name, format->convert);
}

}  // namespace effnet::vision
