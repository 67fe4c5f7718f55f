"""Writes the AVIF and HEIC fixtures. Pillow 9.4 cannot read them, so this needs a newer Pillow in its own environment:

  python3 -m venv V && V/bin/pip install pillow==12.0.0 pillow-heif==1.8.1 numpy && V/bin/python make_heif.py

  avif_*.avif, heic_*.heic   a very small image of one kind
  NAME.rgb                   the result of Pillow (libavif) or pillow-heif (libheif), raw; for grids and crops it is
                             composed here from such results
  heif.tsv                   name, width, height of the .rgb
"""
import io
import pathlib
import struct

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from other_formats import image

pillow_heif.register_heif_opener()
HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parents[1] / "fuzz" / "corpus" / "decode_fuzz"
ROWS = []


def read(data):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def add(name, data, rgb=None):
    rgb = read(data) if rgb is None else rgb
    (HERE / name).write_bytes(data)
    (HERE / name).with_suffix(".rgb").write_bytes(np.ascontiguousarray(rgb).tobytes())
    ROWS.append((name, rgb.shape[1], rgb.shape[0]))


def avif(rgb, **options):
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "AVIF", **options)
    return out.getvalue()


def heic(rgb, **options):
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(out, quality=80, **options)
    return out.getvalue()


# ---- containers that are written here ----
def box(kind, body):
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind, body, version=0, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags) + body)


def part(data, kind):
    at = data.index(kind) - 4
    return data[at + 8:at + struct.unpack(">I", data[at:at + 4])[0]]


def grid(files, rows, columns, size, kind, config, more=b"", brand=b"avif"):
    """A grid of the coded images in `files`, all of the same size. `more`: properties of the grid."""
    tile = part(files[0], b"ispe")
    data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    infos = [full(b"infe", struct.pack(">HH", i + 1, 0) + (b"grid" if i == 0 else kind) + b"\0", 2) for i in range(len(files) + 1)]
    properties = box(b"ispe", b"\0\0\0\0" + struct.pack(">II", *size)) + box(b"ispe", tile) + b"".join(
        box(config, part(f, config)) for f in files) + more
    extra = 0 if not more else 1
    links = struct.pack(">HB", 1, 1 + extra) + b"\1" + bytes([3 + len(files)] * extra) + b"".join(
        struct.pack(">HBBB", i + 2, 2, 2, 3 + i) for i in range(len(files)))
    head = box(b"ftyp", brand + b"\0\0\0\0" + brand + b"mif1")
    bodies = [part(f, b"mdat") for f in files]

    def meta(start):
        places, at = [struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(data))], start
        for i, body in enumerate(bodies):
            places.append(struct.pack(">HHHHII", i + 2, 0, 0, 1, at, len(body)))
            at += len(body)
        return full(b"meta", full(b"hdlr", b"\0\0\0\0pict" + bytes(13)) + full(b"pitm", struct.pack(">H", 1)) +
                    full(b"iloc", struct.pack(">HH", 0x4400, len(places)) + b"".join(places), 1) +
                    full(b"iinf", struct.pack(">H", len(infos)) + b"".join(infos)) +
                    full(b"iref", box(b"dimg", struct.pack(">HH", 1, len(files)) + b"".join(
                        struct.pack(">H", i + 2) for i in range(len(files))))) +
                    box(b"iprp", box(b"ipco", properties) + full(b"ipma", struct.pack(">I", len(files) + 1) + links)) +
                    box(b"idat", data))

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", b"".join(bodies))


def main():
    rgb = image(40, 24)
    for subsampling in ("4:2:0", "4:2:2", "4:4:4"):
        add(f"avif_{subsampling.replace(':', '')}.avif", avif(rgb, quality=80, subsampling=subsampling))
        add(f"heic_{subsampling.replace(':', '')}.heic", heic(rgb, chroma=subsampling.replace(":", "")))
    ten = pillow_heif.from_bytes("RGB;16", (40, 24), (rgb.astype("<u2") * 257).tobytes())
    out = io.BytesIO()
    ten.save(out, quality=80)
    add("heic_10bit.heic", out.getvalue())
    add("avif_grey.avif", avif(rgb, quality=80, subsampling="4:0:0"))
    add("avif_limited.avif", avif(rgb, quality=80, range="limited"))
    add("avif_odd.avif", avif(image(33, 21), quality=80))
    add("avif_alpha.avif", avif(np.dstack([rgb, image(40, 24, 5)[..., 0]]), quality=80))
    add("avif_lossless.avif", avif(rgb, quality=100, subsampling="4:4:4"))
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[274] = orientation
        add(f"avif_turn{orientation}.avif", avif(rgb, quality=80, exif=exif))
    for name, make, kind, config, brand in (("avif", avif, b"av01", b"av1C", b"avif"), ("heic", heic, b"hvc1", b"hvcC", b"heic")):
        files = [make(image(64, 64, seed)) for seed in range(6)]
        tiles = [read(f) for f in files]
        whole = np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])[:100, :150]
        data = grid(files, 2, 3, (150, 100), kind, config, brand=brand)
        shown = read(data)  # libheif converts each tile to RGB, libavif the grid: chroma differs along the borders
        inner = np.abs(shown.astype(int) - whole)[:, (np.arange(150) % 64 % 63 > 0) & (np.arange(150) < 149)]
        assert np.array_equal(inner[1:63], 0 * inner[1:63]), name
        add(f"{name}_grid.{name}", data)
        # A crop of 90 x 60 pixels, whose centre is 5 pixels to the right of and 10 above the centre.
        crop = box(b"clap", struct.pack(">IIIIiIiI", 90, 1, 60, 1, 5, 1, -10, 1))
        add(f"{name}_crop.{name}", grid(files, 2, 3, (150, 100), kind, config, crop, brand), shown[10:70, 35:125])
    (HERE / "heif.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in ROWS))
    for name in ("avif_420.avif", "avif_grey.avif", "avif_alpha.avif", "avif_turn5.avif", "avif_grid.avif", "heic_420.heic",
                 "heic_444.heic", "heic_crop.heic"):
        (CORPUS / name).write_bytes((HERE / name).read_bytes())


if __name__ == "__main__":
    main()
