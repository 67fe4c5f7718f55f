"""GIF, BMP and TIFF files of all kinds, for make_fixtures.py. The functions yield (name, file, expected pixels).

None means Pillow's pixels. Otherwise Pillow 9.4 reads the kind wrongly or not at all, and a comment gives the reason.
"""
import io
import struct

import numpy as np
from PIL import Image

RNG = np.random.RandomState(11)


def photo(w, h, seed=0):
    """Waves with a little noise: smooth enough for JPEG; all rows and columns are different."""
    y, x = np.mgrid[:h, :w].astype(float)
    rgb = np.stack([128 + 110 * np.sin(0.5 * x + 0.2 * y), 128 + 110 * np.sin(0.3 * y - 0.1 * x + 1),
                    255 * (x + y) / (w + h)], -1)
    return np.clip(rgb + np.random.RandomState(seed).uniform(-12, 12, rgb.shape), 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def indices(w, h, bits):
    return RNG.randint(0, 1 << bits, (h, w)).astype(np.uint8)


def colours(count):
    return RNG.randint(0, 256, (count, 3)).astype(np.uint8)


# ---- GIF ----
def blocks(data):
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"


def lzw(values, bits):
    """LZW codes without compression: the table is cleared before the codes get longer."""
    text, clear = "", 1 << bits
    for i, value in enumerate(values):
        if i % (clear - 2 or 1) == 0:
            text = format(clear, f"0{bits + 1}b") + text
        text = format(value, f"0{bits + 1}b") + text
    text = format(clear + 1, f"0{bits + 1}b") + text
    return bytes([bits]) + blocks(int(text, 2).to_bytes((len(text) + 7) // 8, "little"))


def gif(canvas, frame, values, palette=None, local=None, transparent=None, background=0, end=b";"):
    """canvas: (w, h); frame: (x, y, w, h)."""
    table = lambda p: 0 if p is None else 0x80 | (len(p).bit_length() - 2)
    data = b"GIF89a" + struct.pack("<HHBBB", *canvas, table(palette), background, 0)
    data += b"" if palette is None else palette.tobytes()
    data += b"!\xfe\x05hello\0"
    if transparent is not None:
        data += b"!\xf9\4" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    data += b"," + struct.pack("<HHHHB", *frame, table(local)) + (b"" if local is None else local.tobytes())
    return data + lzw(values.ravel().tolist(), max(2, int(values.max()).bit_length())) + end


def gifs(photo):
    smooth = Image.fromarray(photo(40, 24)).quantize(64)
    yield "gif_plain", saved(smooth, "GIF", interlace=0), None
    yield "gif_interlaced", saved(smooth, "GIF", interlace=1), None
    yield "gif_grey", saved(Image.fromarray(photo(17, 9)).convert("L"), "GIF"), None
    frames = [Image.fromarray(photo(17, 9, seed)).quantize(32) for seed in (0, 1)]
    yield "gif_animated", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), None
    four, other = colours(4), colours(8)
    small = indices(5, 4, 2)
    yield "gif_no_palette", gif((5, 4), (0, 0, 5, 4), indices(5, 4, 6)), None
    yield "gif_short_palette", gif((5, 4), (0, 0, 5, 4), indices(5, 4, 3), four), None
    yield "gif_local_palette", gif((5, 4), (0, 0, 5, 4), indices(5, 4, 3), four, other), None
    yield "gif_clear", gif((5, 4), (0, 0, 5, 4), small, four, transparent=2), None
    yield "gif_inside", gif((9, 7), (2, 1, 5, 4), small, four, background=3), None
    yield "gif_inside_clear", gif((9, 7), (2, 1, 5, 4), small, four, transparent=1, background=3), None
    yield "gif_beyond", gif((3, 3), (1, 2, 5, 4), small, four), None
    yield "gif_no_trailer", gif((5, 4), (0, 0, 5, 4), small, four, end=b""), None
    yield "gif_no_end", gif((5, 4), (0, 0, 5, 4), small, four, end=b"")[:-1], None  # the end of the blocks is missing too


# ---- BMP ----
def packed(rows, bits):
    """Packs rows of integers, the first pixel in the highest bits. Rows are padded to four bytes."""
    data = b""
    for row in rows:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        data += int(text + "0" * (-len(text) % 32), 2).to_bytes((len(text) + 31) // 32 * 4, "big")
    return data


def bmp(w, h, bits, data, header=40, compression=0, palette=b"", colours=0, masks=b"", offset=None):
    if header == 12:
        info = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, w, h, 1, bits, compression, len(data), 2835, 2835, colours, 0)
        info += masks[:header - 40].ljust(header - 40, b"\0")
    behind = masks if header == 40 else b""
    start = 14 + len(info) + len(behind) + len(palette)
    return (b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start if offset is None else offset) + info + behind +
            palette + data)


def pixels(array, width):
    """Pixels of `width` bytes, little-endian. Rows are padded to four bytes."""
    rows = [b"".join(int(v).to_bytes(width, "little") for v in row) for row in array]
    return b"".join(row + b"\0" * (-len(row) % 4) for row in rows)


def quads(palette):
    return np.dstack([palette[None, :, ::-1], np.zeros((1, len(palette), 1), np.uint8)]).tobytes()


def bmps(photo):
    rgb = Image.fromarray(photo(13, 7))
    yield "bmp_rgb", saved(rgb, "BMP"), None
    yield "bmp_rgba", saved(rgb.convert("RGBA"), "BMP"), None
    yield "bmp_grey", saved(rgb.convert("L"), "BMP"), None
    yield "bmp_black_white", saved(rgb.convert("1"), "BMP"), None
    for bits in (1, 4, 8):
        palette = colours(1 << bits)
        yield f"bmp_palette{bits}", bmp(13, 7, bits, packed(indices(13, 7, bits), bits), palette=quads(palette)), None
        yield (f"bmp_os2_{bits}", bmp(13, 7, bits, packed(indices(13, 7, bits), bits), header=12,
                                      palette=palette[:, ::-1].tobytes()), None)
    yield "bmp_short_palette", bmp(6, 3, 8, packed(indices(6, 3, 5), 8), palette=quads(colours(20)), colours=20), None
    yield "bmp_offset_at_palette", bmp(6, 3, 8, packed(indices(6, 3, 8), 8), palette=quads(colours(256)), offset=54), None
    yield "bmp_top_down", bmp(6, -3, 24, pixels(RNG.randint(0, 1 << 24, (3, 6)), 3)), None
    yield "bmp_os2_24", bmp(5, 3, 24, pixels(RNG.randint(0, 1 << 24, (3, 5)), 3), header=12), None
    yield "bmp_32", bmp(5, 3, 32, pixels(RNG.randint(0, 1 << 32, (3, 5), dtype=np.int64), 4)), None
    yield "bmp_555", bmp(5, 3, 16, pixels(RNG.randint(0, 1 << 15, (3, 5)), 2)), None
    deep = RNG.randint(0, 1 << 32, (3, 5), dtype=np.int64)
    for name, bits, header, masks in (("565", 16, 40, (0xF800, 0x7E0, 0x1F)), ("555_masks", 16, 40, (0x7C00, 0x3E0, 0x1F)),
                                      ("565_v4", 16, 108, (0xF800, 0x7E0, 0x1F, 0)),
                                      ("rgba_v5", 32, 124, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
                                      ("bgra_v4", 32, 108, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
                                      ("xbgr", 32, 40, (0xFF000000, 0xFF0000, 0xFF00))):
        yield (f"bmp_{name}", bmp(5, 3, bits, pixels(deep % (1 << bits), bits // 8), header=header, compression=3,
                                  masks=struct.pack(f"<{len(masks)}I", *masks)), None)
    # Headers that Pillow 9.4 does not support (later versions do), and masks of ten bits, rounded down as Pillow does
    # for five bits.
    golden = np.dstack([(deep >> shift & 1023) * 255 // 1023 for shift in (20, 10, 0)])[::-1].astype(np.uint8)
    masks = struct.pack("<4I", 1023 << 20, 1023 << 10, 1023, 0)
    yield "bmp_101010_v3", bmp(5, 3, 32, pixels(deep, 4), header=56, compression=3, masks=masks), golden
    yield "bmp_101010_v2", bmp(5, 3, 32, pixels(deep, 4), header=52, compression=3, masks=masks), golden
    # Run-length encoding. Pillow reads RLE8 correctly, but not a delta code and an odd number of absolute RLE4 pixels.
    palette = colours(256)
    runs = b"\4\7\2\1\0\0" + b"\0\3\1\2\3\0\3\x09" + b"\0\0" + b"\6\5\0\0" + b"\0\4\1\2\3\4\2\x0b\0\1"
    yield "bmp_rle8", bmp(6, 4, 8, runs, compression=1, palette=quads(palette)), None
    rows = np.array([[7, 7, 7, 7, 0, 0], [0, 0, 1, 2, 3, 0], [0, 5, 5, 0, 0, 0]])
    moved = b"\4\7\0\2\0\0" + b"\0\0" + b"\0\2\2\0\0\3\1\2\3\0\0\0" + b"\1\0\2\5\0\1"
    yield "bmp_rle8_move", bmp(6, 3, 8, moved, compression=1, palette=quads(palette)), palette[rows[::-1]]
    rows = np.array([[1, 2, 1, 2, 1, 0], [4, 5, 6, 9, 9, 9], [0, 0, 0, 0, 0, 0]])
    halves = b"\5\x12\0\0" + b"\0\3\x45\x60\3\x99\0\0" + b"\0\1"
    yield "bmp_rle4", bmp(6, 3, 4, halves, compression=2, palette=quads(palette[:16])), palette[rows[::-1]]


# ---- TIFF ----
def tiff(samples, bits, photometric, order="<", tile=None, planes=False, rows=None, extra=(), orientation=None, palette=None,
         big=False, reverse=False, more=(), pages=1):
    """An uncompressed TIFF. samples: (h, w, channels), integers below 2^bits."""
    h, w, channels = samples.shape
    one = "B" if bits <= 8 else "H"

    def row(values):
        if bits in (8, 16):
            return np.ascontiguousarray(values, dtype=order + ("u1" if bits == 8 else "u2")).tobytes()
        text = "".join(format(int(v), f"0{bits}b") for v in values.ravel())
        return int(text + "0" * (-len(text) % 8), 2).to_bytes((len(text) + 7) // 8, "big")

    chunks = []
    for part in [samples[..., i:i + 1] for i in range(channels)] if planes else [samples]:
        if tile:
            grid = np.zeros((-(-h // tile) * tile, -(-w // tile) * tile, part.shape[2]), np.int64)
            grid[:h, :w] = part
            for y in range(0, h, tile):
                chunks += [b"".join(row(line) for line in grid[y:y + tile, x:x + tile]) for x in range(0, w, tile)]
        else:
            step = rows or h
            chunks += [b"".join(row(line) for line in part[y:y + step]) for y in range(0, h, step)]
    if reverse:
        chunks = [bytes(int(format(b, "08b")[::-1], 2) for b in c) for c in chunks]
    entries = [(256, 4, [w]), (257, 4, [h]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
               (277, 3, [channels]), (284, 3, [2 if planes else 1])]
    if reverse:
        entries.append((266, 3, [2]))
    if extra:
        entries.append((338, 3, list(extra)))
    if orientation:
        entries.append((274, 3, [orientation]))
    if palette is not None:
        entries.append((320, 3, (palette.T.astype(int) * 257).ravel().tolist()))
    entries += list(more)
    if tile:
        entries += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, chunks), (325, 4, [len(c) for c in chunks])]
    else:
        entries += [(273, 4, chunks), (278, 4, [rows or h]), (279, 4, [len(c) for c in chunks])]
    place, inline = ("Q", 8) if big else ("I", 4)
    data = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big
                                                 else struct.pack(order + "HI", 42, 8))
    for page in range(pages):
        head = struct.pack(order + ("Q" if big else "H"), len(entries))
        at = len(data) + len(head) + (20 if big else 12) * len(entries) + inline
        body = b""
        for tag, kind, values in sorted(entries):
            if values is chunks:
                values = []
                for c in chunks:
                    values.append(at + len(body))
                    body += c + b"\0" * (len(c) % 2)
            value = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind] * len(values), *values)
            if len(value) > inline:
                value, body = struct.pack(order + place, at + len(body)), body + value + b"\0" * (len(value) % 2)
            head += struct.pack(order + "HH" + place, tag, kind, len(values)) + value.ljust(inline, b"\0")
        data += head + struct.pack(order + place, at + len(body) if page + 1 < pages else 0) + body
    return data


def oriented(samples, orientation):
    """The samples with the orientation applied, as TIFF 6.0 defines it."""
    a = samples.transpose(1, 0, 2) if orientation >= 5 else samples
    flip_y, flip_x = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    return a[::-1 if flip_y else 1, ::-1 if flip_x else 1]


def tiffs(photo):
    rgb = photo(21, 18)
    image = Image.fromarray(rgb)
    for name, compression in (("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits"), ("raw", None),
                              ("jpeg", "jpeg")):
        yield f"tiff_{name}", saved(image, "TIFF", compression=compression), None
    for name, compression in (("fax3", "group3"), ("fax4", "group4"), ("fax_rle", "tiff_ccitt")):
        yield f"tiff_{name}", saved(image.convert("1"), "TIFF", compression=compression), None
    deep = RNG.randint(0, 1 << 16, (9, 11)).astype(np.uint16)
    yield ("tiff_lzw_grey16", saved(Image.fromarray(deep), "TIFF", compression="tiff_lzw"),
           np.repeat(deep[..., None] >> 8, 3, 2).astype(np.uint8))  # Pillow clips, see below
    yield "tiff_pages", saved(image, "TIFF", save_all=True, append_images=[Image.fromarray(photo(5, 5))]), None
    cmyk = RNG.randint(0, 256, (9, 11, 4))
    yield "tiff_cmyk", tiff(cmyk, 8, 5), None
    yield "tiff_cmyk_planes", tiff(cmyk, 8, 5, planes=True), None
    yield "tiff_cmyk16", tiff(cmyk * 256 + 77, 16, 5), None
    for order, word in (("<", "little"), (">", "big")):
        yield f"tiff_rgb16_{word}", tiff(RNG.randint(0, 1 << 16, (9, 11, 3)), 16, 2, order=order), None
        yield f"tiff_tiles_{word}", tiff(rgb.astype(int), 8, 2, order=order, tile=16), None
    yield "tiff_planes", tiff(rgb.astype(int), 8, 2, planes=True, rows=5), None
    # Tiles of separate planes: Pillow 9.4 reads only the tiles of the first plane.
    yield "tiff_planes_tiles", tiff(rgb.astype(int), 8, 2, planes=True, tile=16), rgb
    yield "tiff_strips", tiff(rgb.astype(int), 8, 2, rows=4), None
    yield "tiff_big", tiff(rgb.astype(int), 8, 2, rows=7, big=True), None
    for bits in (1, 2, 4, 8):
        values = RNG.randint(0, 1 << bits, (9, 11, 1))
        yield f"tiff_grey{bits}", tiff(values, bits, 1), None
        yield f"tiff_grey{bits}_white", tiff(values, bits, 0, order=">"), None
        yield f"tiff_palette{bits}", tiff(values, bits, 3, palette=colours(1 << bits)), None
    yield "tiff_reversed", tiff(RNG.randint(0, 2, (9, 11, 1)), 1, 1, reverse=True), None
    # Pillow clips 12- and 16-bit grey at 255 and does not invert 16-bit grey; effnet keeps the high byte.
    deep = RNG.randint(0, 1 << 16, (9, 11, 1))
    yield "tiff_grey16", tiff(deep, 16, 1), np.repeat(deep >> 8, 3, 2).astype(np.uint8)
    yield "tiff_grey16_white", tiff(deep, 16, 0, order=">"), np.repeat(255 - (deep >> 8), 3, 2).astype(np.uint8)
    yield "tiff_grey12", tiff(deep >> 4, 12, 1), np.repeat(deep >> 8, 3, 2).astype(np.uint8)
    yield "tiff_grey_alpha", tiff(RNG.randint(0, 256, (9, 11, 2)), 8, 1, extra=(2,)), None
    alpha = RNG.randint(0, 256, (9, 11, 4))
    alpha[0, :3, 3] = 0, 255, 1
    yield "tiff_rgba", tiff(alpha, 8, 2, extra=(2,)), None
    yield "tiff_rgba_unsaid", tiff(alpha, 8, 2), None
    yield "tiff_rgba_multiplied", tiff(alpha, 8, 2, extra=(1,)), None
    yield "tiff_rgbx", tiff(RNG.randint(0, 256, (9, 11, 5)), 8, 2, extra=(0, 0)), None
    # Pillow 9.4 applies the orientation of a TIFF when loading and again in exif_transpose.
    for orientation in range(1, 9):
        file = tiff(rgb.astype(int), 8, 2, orientation=orientation, rows=7)
        yield f"tiff_turn{orientation}", file, oriented(rgb, orientation)
