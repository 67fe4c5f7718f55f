#!/usr/bin/python3
"""Writes the fixtures of effnet/vision's tests and the fuzzers' corpora. Needs Debian's Pillow 9.4, NumPy, torchvision.

  NAME.{jpg,png,webp,gif,bmp,tif}  a very small image of one kind
  NAME.rgb             Pillow's result exif_transpose(open()).convert("RGB"), raw
  images.tsv           name, width, height of the .rgb
  source.rgb           the 23x17 image that is resized, raw
  resize.tsv           filter, width, height, box, sha256 of Pillow's result
  tf.tsv, tf.f32       filter, width, height; the results one after another, computed here with NumPy in double from
                       positions in float32 (docs/reference/paper.md, section D)
  prepare.tsv          width and height of the image (the source cropped or repeated), resize, crop, filter, sha256 of
                       torchvision's Resize + CenterCrop

Run it in this folder: /usr/bin/python3 make_fixtures.py
"""
import hashlib
import io
import pathlib
import struct
import zlib

import numpy as np
import torchvision.transforms.functional as tv
from PIL import Image, ImageOps

import other_formats
from other_formats import photo

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parents[1] / "fuzz" / "corpus"
ROWS = []


def add(name, data, rgb=None):
    (HERE / name).write_bytes(data)
    if rgb is None:
        rgb = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    (HERE / name).with_suffix(".rgb").write_bytes(rgb.tobytes())
    ROWS.append((name, rgb.shape[1], rgb.shape[0]))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation, big_endian=True):
    order = ">" if big_endian else "<"
    head = b"MM" if big_endian else b"II"
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 17, 0) + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(order + "HIH", 42, 8, 2) + entries + struct.pack(order + "I", 0)


# ---- JPEG ----
def segments(data):
    """Returns the segments before the first scan, and the remaining bytes."""
    at, parts = 2, []
    while data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2:at + 4])[0]
        parts.append(data[at:at + 2 + size])
        at += 2 + size
    return parts, data[at:]


def adobe(transform):
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def with_adobe(data, transform):
    parts, rest = segments(data)
    parts = [p for p in parts if p[1] not in (0xE0, 0xEE)]
    return b"\xff\xd8" + adobe(transform) + b"".join(parts) + rest


def jpegs():
    rgb = Image.fromarray(photo(17, 9))
    cmyk = Image.fromarray(np.dstack([photo(13, 11), photo(13, 11, 1)[..., 0] // 2]), "CMYK")
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        add(f"jpeg_{name}.jpg", saved(rgb, "JPEG", subsampling=subsampling, quality=90))
        add(f"jpeg_progressive_{name}.jpg", saved(rgb, "JPEG", subsampling=subsampling, quality=90, progressive=True))
    add("jpeg_large.jpg", saved(Image.fromarray(photo(51, 35)), "JPEG", quality=75))
    add("jpeg_one_pixel.jpg", saved(Image.fromarray(photo(1, 1)), "JPEG"))
    add("jpeg_grey.jpg", saved(rgb.convert("L"), "JPEG"))
    add("jpeg_grey_progressive.jpg", saved(rgb.convert("L"), "JPEG", progressive=True))
    add("jpeg_cmyk.jpg", saved(cmyk, "JPEG", quality=90))
    add("jpeg_ycck.jpg", with_adobe(saved(cmyk, "JPEG", quality=90), 2))
    add("jpeg_cmyk_no_adobe.jpg", b"\xff\xd8" + b"".join(
        p for p in segments(saved(cmyk, "JPEG", quality=90))[0] if p[1] != 0xEE) + segments(saved(cmyk, "JPEG", quality=90))[1])
    add("jpeg_adobe_rgb.jpg", with_adobe(saved(rgb, "JPEG", quality=90, subsampling=0), 0))
    plain = saved(rgb, "JPEG", quality=90)
    add("jpeg_bytes_before_end.jpg", plain[:-2] + b"abc" + plain[-2:])
    add("jpeg_bytes_after_end.jpg", plain + b"trailer")
    for orientation in range(1, 9):
        add(f"jpeg_turn{orientation}.jpg", saved(rgb, "JPEG", quality=90, exif=b"Exif\0\0" + exif(orientation, orientation % 2 == 1)))


# ---- PNG, written here: Pillow cannot write interlaced files and 16-bit RGB ----
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples, colour, depth, interlaced=False, before=b"", after=b""):
    """samples: (h, w, channels), integers below 2^depth."""
    h, w, _ = samples.shape
    rows = b""
    for y, x, dy, dx in ADAM7 if interlaced else ((0, 0, 1, 1),):
        for row in samples[y::dy, x::dx] if samples[y::dy, x::dx].size else ():
            bits = "".join(format(v, f"0{depth}b") for v in row.ravel())
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, int(interlaced))) +
            before + chunk(b"IDAT", zlib.compress(rows, 9)) + after + chunk(b"IEND", b""))


def pngs():
    rng = np.random.RandomState(3)
    for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for depth in depths:
            samples = rng.randint(0, 1 << depth, (11, 13, CHANNELS[colour]))
            palette = chunk(b"PLTE", rng.randint(0, 256, 3 << min(depth, 8)).astype(np.uint8).tobytes()) if colour == 3 else b""
            # Pillow clips 16-bit grey at 255; effnet keeps the high byte. So the expected result is computed here.
            golden = np.repeat(samples >> 8, 3, 2).astype(np.uint8) if (colour, depth) == (0, 16) else None
            name = f"png_{ {0: 'grey', 2: 'rgb', 3: 'palette', 4: 'grey_alpha', 6: 'rgba'}[colour]}{depth}"
            add(f"{name}.png", png(samples, colour, depth, before=palette), golden)
            add(f"{name}_interlaced.png", png(samples, colour, depth, True, before=palette), golden)
    samples = rng.randint(0, 4, (5, 7, 1))
    palette = chunk(b"PLTE", bytes(range(12)))
    add("png_palette_clear.png", png(samples, 3, 2, before=palette + chunk(b"tRNS", b"\0\x80\xff")))
    add("png_grey_clear.png", png(samples, 0, 2, before=chunk(b"tRNS", b"\0\1")))
    rgb = photo(7, 5)
    add("png_rgb_clear.png", png(rgb, 2, 8, before=chunk(b"tRNS", struct.pack(">HHH", *rgb[2, 3]))))
    add("png_gamma.png", png(rgb, 2, 8, before=chunk(b"gAMA", struct.pack(">I", 100000))))
    add("png_turn6.png", png(rgb, 2, 8, before=chunk(b"eXIf", exif(6))))
    add("png_turn3_after.png", png(rgb, 2, 8, after=chunk(b"eXIf", exif(3, False))))
    # EXIF as hexadecimal text, as ImageMagick and exiftool write it, in each kind of text chunk.
    profile = b"\nexif\n%8d\n" % len(exif(6)) + exif(6).hex("\n", 36).encode() + b"\n"
    key = b"Raw profile type exif\0"
    add("png_turn6_text.png", png(rgb, 2, 8, before=chunk(b"tEXt", key + profile)))
    add("png_turn6_packed_text.png", png(rgb, 2, 8, after=chunk(b"zTXt", key + b"\0" + zlib.compress(profile))))
    add("png_turn6_utf8_text.png", png(rgb, 2, 8, before=chunk(b"iTXt", key + b"\0\0\0\0" + profile.upper())))
    add("png_turn6_packed_utf8_text.png", png(rgb, 2, 8, before=chunk(b"iTXt", key + b"\1\0\0\0" + zlib.compress(profile))))
    add("png_not_turned_app1.png", png(rgb, 2, 8, before=chunk(b"tEXt", b"Raw profile type APP1\0" + profile)))
    add("png_turn3_before_text.png", png(rgb, 2, 8, before=chunk(b"tEXt", key + profile) + chunk(b"eXIf", exif(3))))
    add("png_turn8_second.png", png(rgb, 2, 8, before=chunk(b"eXIf", exif(6)) + chunk(b"eXIf", exif(8))))
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0"
    add("png_turn6_xmp.png", png(rgb, 2, 8, before=chunk(b"iTXt", xmp + b'<x tiff:Orientation="6"/>')))
    add("png_turn8_xmp.png", png(rgb, 2, 8, before=chunk(b"iTXt", xmp + b"<tiff:Orientation>8</tiff:Orientation>")))
    add("png_turn3_not_xmp.png", png(rgb, 2, 8, before=chunk(b"eXIf", exif(3)) + chunk(b"iTXt", xmp + b'tiff:Orientation="6"')))
    # The number 42 of the TIFF header has the wrong byte order, as in files of some cameras.
    add("png_turn6_swapped_42.png", png(rgb, 2, 8, before=chunk(b"eXIf", b"MM*\0" + exif(6)[4:])))
    add("png_turn8_swapped_42.png", png(rgb, 2, 8, before=chunk(b"eXIf", b"II\0*" + exif(8, False)[4:])))
    # The file is corrupt after the image data.
    whole = png(rgb, 2, 8, after=chunk(b"tEXt", b"a\0text"))
    end = whole.index(b"tEXt") - 4
    add("png_no_end.png", whole[:end])
    add("png_no_checksum.png", whole[:end - 4])
    add("png_zeros_after.png", whole[:end] + bytes(40))
    add("png_html_after.png", whole[:end] + b"<html>the rest never came</html>")
    add("png_wrong_text_checksum.png", whole[:-13] + b"\0" + whole[-12:])


# ---- WebP ----
def webps():
    rgb = Image.fromarray(photo(17, 9))
    alpha = Image.fromarray(np.dstack([photo(17, 9), photo(17, 9, 5)[..., 0]]), "RGBA")
    add("webp_lossy.webp", saved(rgb, "WEBP", quality=80))
    add("webp_lossless.webp", saved(rgb, "WEBP", lossless=True))
    add("webp_lossy_alpha.webp", saved(alpha, "WEBP", quality=80, exact=True))
    add("webp_lossless_alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True))
    add("webp_turn5.webp", saved(rgb, "WEBP", quality=80, exif=exif(5)))
    frames = [Image.fromarray(photo(17, 9, seed)) for seed in (0, 1)]
    add("webp_animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))


def others():
    for function, extension in ((other_formats.gifs, "gif"), (other_formats.bmps, "bmp"), (other_formats.tiffs, "tif")):
        for name, data, golden in function(photo):
            if golden is None and extension == "tif":  # Pillow 9.4 would apply the orientation of a TIFF twice
                golden = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            add(f"{name}.{extension}", data, golden)


# ---- resizing ----
FILTERS = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
SOURCE = photo(23, 17, 7)


def resizes():
    (HERE / "source.rgb").write_bytes(SOURCE.tobytes())
    image = Image.fromarray(SOURCE)
    lines = []
    sizes = ((11, 9), (46, 34), (23, 17), (5, 40), (1, 1), (23, 9), (9, 17), (64, 3), (22, 16), (24, 18), (100, 77))
    boxes = ((0, 0, 23, 17), (1, 2, 20, 15), (0.5, 0.25, 22.75, 16.5), (3.3, 0, 9.1, 17), (0, 5, 23, 6), (22.5, 16.5, 23, 17))
    for name, resample in FILTERS.items():
        for w, h in sizes:
            for box in boxes:
                result = image.resize((w, h), resample, box)
                lines.append([name, w, h, *box, hashlib.sha256(result.tobytes()).hexdigest()])
    write_table("resize.tsv", lines)


def tf_axis(n_in, n_out, kind):
    """(n_out, n_in) weights."""
    weights = np.zeros((n_out, n_in))
    scale = np.float32(n_in) / np.float32(n_out)
    cubic = {0: lambda x: 1.25 * x**3 - 2.25 * x**2 + 1, 1: lambda x: -0.75 * x**3 + 3.75 * x**2 - 6 * x + 3}  # |x| < 1, < 2
    for i in range(n_out):
        position = np.float32(i) * scale
        floor = int(np.floor(position))
        t = float(np.float32(position - np.float32(floor)))
        if kind == "tf_bilinear":
            taps = {0: 1 - t, 1: t}
        else:
            t = np.rint(t * 1024) / 1024
            taps = {-1: cubic[1](1 + t), 0: cubic[0](t), 1: cubic[0](1 - t), 2: cubic[1](2 - t)}
        for offset, weight in taps.items():
            weights[i, min(max(floor + offset, 0), n_in - 1)] += weight
    return weights


def tf_resizes():
    lines, values = [], b""
    for name in ("tf_bilinear", "tf_bicubic"):
        for w, h in ((11, 9), (32, 13), (23, 17), (1, 1), (5, 29)):
            down, along = tf_axis(17, h, name), tf_axis(23, w, name)
            values += np.einsum("ij,jkc,lk->ilc", down, SOURCE.astype(float), along).astype("<f4").tobytes()
            lines.append([name, w, h])
    write_table("tf.tsv", lines)
    (HERE / "tf.f32").write_bytes(values)


def prepares():
    lines = []
    for w, h in ((23, 17), (17, 23), (20, 20), (5, 40), (40, 5), (1, 30), (3, 2)):
        image = Image.fromarray(np.resize(SOURCE, (h, w, 3)))
        for resize, crop in ((16, 14), (17, 14), (12, 12), (8, 13), (13, 30), (20, 15)):
            for name, mode in (("bilinear", tv.InterpolationMode.BILINEAR), ("bicubic", tv.InterpolationMode.BICUBIC)):
                result = tv.center_crop(tv.resize(image, [resize], mode), [crop, crop])
                lines.append([w, h, resize, crop, name, hashlib.sha256(result.tobytes()).hexdigest()])
    write_table("prepare.tsv", lines)


def write_table(name, lines):
    (HERE / name).write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))


def corpora():
    decode, orientation, part = CORPUS / "decode_fuzz", CORPUS / "exif_fuzz", CORPUS / "jpeg_part_fuzz"
    for folder in (decode, orientation, part):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("jpeg_420.jpg", "jpeg_progressive_420.jpg", "jpeg_cmyk.jpg", "jpeg_turn6.jpg", "png_rgb16_interlaced.png",
                 "png_palette_clear.png", "png_turn6.png", "png_grey1.png", "webp_lossy_alpha.webp", "webp_lossless.webp",
                 "webp_animated.webp", "webp_turn5.webp", "png_turn6_packed_text.png", "png_turn6_xmp.png", "png_no_end.png",
                 "gif_interlaced.gif", "gif_inside_clear.gif", "gif_no_palette.gif", "bmp_palette4.bmp", "bmp_os2_8.bmp",
                 "bmp_565_v4.bmp", "bmp_101010_v3.bmp", "bmp_rle8_move.bmp", "bmp_rle4.bmp", "tiff_lzw.tif",
                 "tiff_deflate.tif", "tiff_packbits.tif", "tiff_jpeg.tif", "tiff_fax3.tif", "tiff_fax4.tif",
                 "tiff_planes_tiles.tif", "tiff_palette4.tif", "tiff_cmyk_planes.tif", "tiff_rgba_multiplied.tif",
                 "tiff_grey12.tif", "tiff_big.tif", "tiff_tiles_big.tif"):
        (decode / name).write_bytes((HERE / name).read_bytes())
    # The fuzzer takes the part from the last four bytes and the reduction from the length.
    for name in ("jpeg_420.jpg", "jpeg_progressive_420.jpg", "jpeg_cmyk.jpg", "jpeg_turn6.jpg"):
        for reduction in range(4):
            data = (HERE / name).read_bytes()
            data += bytes((reduction - len(data)) % 4) + bytes([90, 90, 60, 60])
            (part / f"{reduction}_{name}").write_bytes(data)
    for number in (1, 6, 8, 9):
        (orientation / f"big_endian_{number}").write_bytes(exif(number))
        (orientation / f"little_endian_{number}").write_bytes(b"Exif\0\0" + exif(number, False))


if __name__ == "__main__":
    jpegs()
    pngs()
    webps()
    others()
    resizes()
    tf_resizes()
    prepares()
    write_table("images.tsv", ROWS)
    corpora()
