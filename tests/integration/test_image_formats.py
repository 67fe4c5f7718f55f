"""Image formats. The same pixels give the same result in each format. All kinds of datasets find all file names. For an
unsupported format the error names it and a way to convert it."""

import io
import os
import struct
import tarfile
import zlib

import numpy
from PIL import Image


def photo(seed=0, size=(40, 30)):
    """An image with at most 256 colours, so that GIF too stores it without loss."""
    rng = numpy.random.RandomState(seed)
    colours = rng.randint(0, 256, (64, 3)).astype(numpy.uint8)
    return Image.fromarray(colours[rng.randint(0, 64, size[::-1])])


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def lossless(image):
    """{extension: file content} of the same pixels in all lossless formats."""
    palette = image.quantize(64)
    assert palette.convert("RGB").tobytes() == image.tobytes()
    return {".png": encoded(image, "PNG"), ".gif": encoded(palette, "GIF"), ".bmp": encoded(image, "BMP"),
            ".tif": encoded(image, "TIFF", compression="tiff_lzw"), ".tiff": encoded(image, "TIFF"),
            ".webp": encoded(image, "WEBP", lossless=True)}


GOLDEN = os.path.join(os.path.dirname(__file__), "../golden/vision")


def test_avif_and_heic_are_read_without_messages(effnet, tiny, tmp_path):
    paths = [os.path.join(GOLDEN, name) for name in ("avif_420.avif", "avif_grid.avif", "heic_420.heic", "heic_10bit.heic")]
    result = effnet("predict", tiny, *paths, "--quiet", "--json")
    assert result.returncode == 0 and result.stderr == ""
    cut = tmp_path / "cut.AVIF"
    cut.write_bytes(open(paths[0], "rb").read()[:-100])
    result = effnet("predict", tiny, cut, "--quiet", "--json")
    assert result.returncode == 3 and len(result.stderr.splitlines()) == 1, result.stderr


NAMES = ["a.jpg", "b.JPEG", "c.jpe", "d.JFIF", "e.Png", "f.webp", "g.GIF", "h.bmp", "i.TIF", "j.tiff"]


def test_all_formats_give_the_same_result(effnet, tiny, tmp_path):
    paths = []
    for extension, data in lossless(photo()).items():
        paths.append(tmp_path / f"image{extension}")
        paths[-1].write_bytes(data)
    misnamed = tmp_path / "really_a_gif.jpg"
    misnamed.write_bytes(paths[1].read_bytes())
    images = effnet.json("predict", tiny, *paths, misnamed, "--logits")["images"]
    assert len(images) == 7 and all(image["logits"] == images[0]["logits"] for image in images)


def make_class_folders(root, images_of):
    """Two classes of ten images, with the file names of NAMES. A name does not say the format of its content."""
    for label in ("cat", "dog"):
        for i, name in enumerate(NAMES):
            path = root / "train" / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images_of(label, i))


def content(label, i):
    return list(lossless(photo(1 + i + (20 if label == "dog" else 0))).values())[i % 6]


def test_class_folders_shards_and_lists_find_every_name(effnet, tiny, tmp_path):
    make_class_folders(tmp_path / "set", content)
    (tmp_path / "set" / "train" / "cat" / "raw.NEF").write_bytes(b"II*\0")
    (tmp_path / "set" / "train" / "dog" / "list.txt").write_bytes(b"")
    report = effnet.json("data", "check", tmp_path / "set")
    assert report["images"] == 20 and report["broken"] == []
    assert sorted((os.path.basename(row["path"]), row["why"]) for row in report["skipped"]) == [
        ("list.txt", "not an image by its name"),
        ("raw.NEF", "a camera raw file by its name; to convert it: darktable-cli IN OUT.jpg (darktable)")]

    shards = tmp_path / "shards"
    shards.mkdir()
    with tarfile.open(shards / "train-0.tar", "w") as archive:
        for label, number in (("cat", 0), ("dog", 1)):
            for i, name in enumerate(NAMES):
                key = f"{label}_{name.partition('.')[0]}"
                for member, data in ((f"{key}.{name.partition('.')[2]}", content(label, i)), (f"{key}.cls", b"%d" % number)):
                    info = tarfile.TarInfo(member)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    report = effnet.json("data", "check", shards)
    assert report["images"] == 20 and report["broken"] == []

    (tmp_path / "labels.csv").write_text("".join(f"{name},{i % 2}\n" for i, name in enumerate(NAMES)))
    document = effnet.json("eval", tiny, tmp_path / "set" / "train" / "cat", "--labels", tmp_path / "labels.csv")
    assert document["images"] == 10 and document["skipped"] == []


def test_unsupported_formats_are_named_with_a_converter(effnet, tiny, tmp_path):
    files = {"raw": (b"II*\0\x10\0\0\0CR\2\0", "a camera raw file", "darktable-cli"), "psd": (b"8BPS\0\1", "a Photoshop file", "convert"),
             "pdf": (b"%PDF-1.4\n", "a PDF file", "pdftoppm"), "jxl": (b"\xff\x0a\1\2", "a JPEG XL file", "djxl"),
             "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file", "opj_decompress"),
             "mp4": (b"\0\0\0\x18ftypisom", "a video file", "ffmpeg"), "ico": (b"\0\0\1\0\1\0", "an icon file", "icotool"),
             "svg": (b"<svg xmlns=''/>", "HTML, XML or SVG text", None)}
    for name, (data, message, tool) in files.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(data)
        result = effnet("predict", tiny, path, "--quiet", "--json")
        assert result.returncode == 3 and f"got {message}, expected JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC" in result.stderr
        assert tool is None or f"hint: to convert it: {tool} " in result.stderr
    # DNG and NEF files begin like TIFF files and have a preview as their first image.
    preview = [(254, 4, 1), (256, 4, 2), (257, 4, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1),
               (278, 4, 1), (279, 4, 2)]
    for name, more in (("dng", [(50706, 1, 0x00000401)]), ("nef", [(330, 4, 300)])):
        entries = sorted(preview + more)
        data = b"II" + struct.pack("<HIH", 42, 8, len(entries))
        for tag, kind, value in entries:
            data += struct.pack("<HHII", tag, kind, 4 if tag == 50706 else 1, value)
        path = tmp_path / f"{name}.tif"
        path.write_bytes((data + bytes(4)).ljust(400, b"\0"))
        result = effnet("predict", tiny, path, "--quiet", "--json")
        assert result.returncode == 3 and "got a camera raw file" in result.stderr, result.stderr


def test_unsupported_tiff_kinds_are_explained(effnet, tiny, tmp_path):
    for name, data, message in (("float", encoded(Image.new("F", (4, 3)), "TIFF"), "got floating-point numbers of 32 bits"),
                             ("lab", encoded(Image.new("LAB", (4, 3)), "TIFF"), "unsupported kind of colour (got photometric interpretation 8 with"),
                             ("lzma", encoded(photo(), "TIFF", compression="lzma"), "unsupported compression (got 34925")):
        path = tmp_path / f"{name}.tif"
        path.write_bytes(data)
        result = effnet("predict", tiny, path, "--quiet", "--json")
        assert result.returncode == 3 and message in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) <= 2


def test_a_tile_that_is_larger_than_the_image(effnet, tiny, tmp_path):
    """200 x 200 pixels in one tile of 1024 x 1024: 3 MiB, which a reader could take for an implausible size."""
    whole, tiled = tmp_path / "whole.png", tmp_path / "tiled.tif"
    pixels = numpy.asarray(photo().resize((200, 200)))
    Image.fromarray(pixels).save(whole)
    tile = numpy.zeros((1024, 1024, 3), numpy.uint8)
    tile[:200, :200] = pixels
    data, entries = zlib.compress(tile.tobytes()), 11
    after = 8 + 2 + 12 * entries + 4
    tags = [(256, 3, 1, 200), (257, 3, 1, 200), (258, 3, 3, after), (259, 3, 1, 8), (262, 3, 1, 2), (277, 3, 1, 3), (284, 3, 1, 1),
            (322, 3, 1, 1024), (323, 3, 1, 1024), (324, 4, 1, after + 6), (325, 4, 1, len(data))]
    assert len(tags) == entries
    tiled.write_bytes(b"II" + struct.pack("<HIH", 42, 8, entries) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4) +
                      struct.pack("<HHH", 8, 8, 8) + data)
    first, second = effnet.json("predict", tiny, whole, tiled, "--logits")["images"]
    assert first["logits"] == second["logits"]


def test_png_without_end_chunk(effnet, tiny, tmp_path):
    whole, cut, half = tmp_path / "whole.png", tmp_path / "cut.png", tmp_path / "half.png"
    data = encoded(photo(), "PNG")
    whole.write_bytes(data)
    cut.write_bytes(data[:-12])
    half.write_bytes(data[:len(data) // 2])
    first, second = effnet.json("predict", tiny, whole, cut, "--logits")["images"]
    assert first["logits"] == second["logits"]
    effnet_half = effnet("predict", tiny, half, "--json", "--quiet")
    assert effnet_half.returncode == 3 and "the file ends early" in effnet_half.stderr


def test_warnings_of_libraries_are_not_printed(effnet, tiny, tmp_path):
    """By default libtiff prints warnings to stderr."""
    data = bytearray(encoded(photo(), "TIFF"))
    entries = struct.unpack("<H", data[8:10])[0]
    struct.pack_into("<H", data, 10 + 12 * (entries - 1), 65000)  # an unknown tag
    path = tmp_path / "odd.tif"
    path.write_bytes(data)
    result = effnet("predict", tiny, path, "--quiet", "--json")
    assert result.returncode == 0 and result.stderr == ""
    path.write_bytes(data[:-900])
    result = effnet("predict", tiny, path, "--quiet", "--json")
    assert result.returncode == 3 and len(result.stderr.splitlines()) == 1, result.stderr


def test_cam_writes_the_format_of_the_file_name(effnet, tiny, tmp_path):
    source = tmp_path / "image.png"
    # An image below 240 px is enlarged to it.
    for size, drawn in (((300, 40), (300, 40)), ((64, 48), (240, 180))):
        photo(size=size).save(source)
        for name, kind in (("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.png", "PNG"), ("a.webp", "WEBP"), ("plain", "PNG")):
            effnet.json("cam", tiny, source, "-o", tmp_path / name)
            with Image.open(tmp_path / name) as image:
                assert (image.format, image.size) == (kind, drawn), name
    for name in ("a.gif", "a.tif", "a.html"):
        result = effnet("cam", "no_such_model", source, "-o", tmp_path / name)  # refused before the model is loaded
        effnet.check_error(result, 2)
        assert "expected .jpg, .png or .webp" in result.stderr
        assert not (tmp_path / name).exists()


def test_exact_pixels_need_png(effnet, tiny, tmp_path):
    source = tmp_path / "image.png"
    photo().save(source)
    for name in ("a.jpg", "a.webp", "a.bmp"):
        result = effnet("predict", tiny, source, "--dump-pixels", tmp_path / name)
        effnet.check_error(result, 2)
        assert not (tmp_path / name).exists()
    effnet.json("predict", tiny, source, "--dump-pixels", tmp_path / "a.PNG")
    assert Image.open(tmp_path / "a.PNG").format == "PNG"
