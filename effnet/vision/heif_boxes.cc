#include "effnet/vision/heif_boxes.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

// The largest number of properties per item; about ten are usual. There is a limit because coded() searches all
// properties for each tile of a grid.
constexpr std::size_t kMaxProperties = 1000;

Error corrupt(std::string_view what) {
  return input_error("corrupt or unsupported AVIF or HEIC file (got {}, expected a complete image)", what);
}

struct Cursor {
  std::span<const std::byte> rest;

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > rest.size()) throw corrupt("a truncated box");
    const auto taken = rest.first(static_cast<std::size_t>(size));
    rest = rest.subspan(static_cast<std::size_t>(size));
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const std::byte byte : take(size)) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
  }
  std::string_view name() { return {reinterpret_cast<const char*>(take(4).data()), 4}; }
};

struct Box {
  std::string_view type;
  std::span<const std::byte> body;
};

Box take_box(Cursor& cursor) {
  std::uint64_t size = cursor.number(4), head = 8;
  const std::string_view type = cursor.name();
  if (size == 1) {
    size = cursor.number(8);
    head = 16;
  }
  if (size == 0) size = head + cursor.rest.size();  // 0: the box extends to the end
  if (size < head) throw corrupt("a box that is smaller than its header");
  return {type, cursor.take(size - head)};
}

struct Extent {
  std::uint64_t offset, length;
};
struct Item {
  std::string_view type;
  bool in_idat = false;
  std::vector<Extent> extents;
  std::vector<std::size_t> properties;  // indices of Meta::properties
  std::vector<std::uint64_t> tiles;     // ids of the items that a grid is made of
};
struct Meta {
  std::uint64_t primary = 0;
  std::map<std::uint64_t, Item> items;
  std::vector<Box> properties;
  std::span<const std::byte> idat;
};

void read_infos(Cursor cursor, Meta& meta) {
  const auto version = cursor.number(4) >> 24;
  cursor.number(version == 0 ? 2 : 4);  // the number of entries
  while (!cursor.rest.empty()) {
    const Box box = take_box(cursor);
    if (box.type != "infe") continue;
    Cursor info{box.body};
    const auto kind = info.number(4) >> 24;
    if (kind < 2) continue;
    const std::uint64_t id = info.number(kind == 2 ? 2 : 4);
    info.number(2);  // protection
    meta.items[id].type = info.name();
  }
}

void read_locations(Cursor cursor, Meta& meta) {
  const auto version = cursor.number(4) >> 24;
  const auto sizes = cursor.number(2);
  const std::size_t offset = sizes >> 12, length = sizes >> 8 & 15, base = sizes >> 4 & 15,
                    index = version > 0 ? sizes & 15 : 0;
  if (std::max({offset, length, base, index}) > 8) throw corrupt("numbers of more than 8 bytes");
  const std::size_t id_size = version < 2 ? 2 : 4;
  for (auto count = cursor.number(id_size); count > 0; --count) {
    Item& item = meta.items[cursor.number(id_size)];
    const auto method = version > 0 ? cursor.number(2) & 15 : 0;
    item.in_idat = method == 1;
    const bool elsewhere = cursor.number(2) != 0 || method > 1;
    const std::uint64_t from = cursor.number(base);
    item.extents.clear();
    auto extents = cursor.number(2);
    // Else a small file could list billions of them: 65,535 for 6 bytes.
    if (extents > 1 && offset + length == 0) throw corrupt("several extents without offset and length");
    for (; extents > 0; --extents) {
      cursor.number(index);
      const std::uint64_t at = from + cursor.number(offset);
      const Extent extent{at, cursor.number(length)};
      if (!elsewhere) item.extents.push_back(extent);
    }
  }
}

void read_references(Cursor cursor, Meta& meta) {
  const std::size_t id_size = cursor.number(4) >> 24 == 0 ? 2 : 4;
  while (!cursor.rest.empty()) {
    const Box box = take_box(cursor);
    if (box.type != "dimg") continue;
    Cursor reference{box.body};
    Item& item = meta.items[reference.number(id_size)];
    item.tiles.clear();
    for (auto count = reference.number(2); count > 0; --count) item.tiles.push_back(reference.number(id_size));
  }
}

void read_properties(Cursor cursor, Meta& meta) {
  while (!cursor.rest.empty()) {
    const Box box = take_box(cursor);
    Cursor inner{box.body};
    if (box.type == "ipco") {
      while (!inner.rest.empty()) meta.properties.push_back(take_box(inner));
    } else if (box.type == "ipma") {
      const auto version_and_flags = inner.number(4);
      const std::size_t width = (version_and_flags & 1) != 0 ? 2 : 1;
      for (auto count = inner.number(4); count > 0; --count) {
        Item& item = meta.items[inner.number(version_and_flags >> 24 == 0 ? 2 : 4)];
        for (auto properties = inner.number(1); properties > 0; --properties) {
          const std::uint64_t index = inner.number(width) & (width == 2 ? 0x7FFF : 0x7F);
          if (index > 0) item.properties.push_back(static_cast<std::size_t>(index - 1));
          if (item.properties.size() > kMaxProperties) throw corrupt("too many properties");
        }
      }
    }
  }
}

Meta read_meta(std::span<const std::byte> file) {
  Meta meta;
  for (Cursor cursor{file}; !cursor.rest.empty();) {
    const Box box = take_box(cursor);
    if (box.type != "meta") continue;
    Cursor inner{box.body};
    inner.number(4);
    while (!inner.rest.empty()) {
      const Box part = take_box(inner);
      Cursor body{part.body};
      if (part.type == "pitm") meta.primary = body.number(body.number(4) >> 24 == 0 ? 2 : 4);
      if (part.type == "iinf") read_infos(body, meta);
      if (part.type == "iloc") read_locations(body, meta);
      if (part.type == "iref") read_references(body, meta);
      if (part.type == "iprp") read_properties(body, meta);
      if (part.type == "idat") meta.idat = part.body;
    }
    return meta;
  }
  throw corrupt("no still image");
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : file_(file), meta_(read_meta(file)) {}

  HeifImage read() {
    const Item& item = find(meta_.primary);
    HeifImage image;
    if (item.type == "grid") {
      read_grid(item, image);
    } else {
      image.tiles.push_back(coded(item));
      image.size = image.tiles.front().size;
    }
    for (const std::size_t index : item.properties) {
      if (index < meta_.properties.size()) apply(meta_.properties[index], image);
    }
    if (!image.colour && item.type == "grid") image.colour = colour(find(item.tiles.front()));
    return image;
  }

 private:
  const Item& find(std::uint64_t id) const {
    const auto found = meta_.items.find(id);
    if (found == meta_.items.end()) throw corrupt("a reference to a missing image");
    return found->second;
  }

  // Returns the item's data. The items together may copy at most as many bytes as the file has, so that a small file
  // cannot make a large result.
  std::vector<std::byte> bytes(const Item& item) {
    const std::span<const std::byte> from = item.in_idat ? meta_.idat : file_;
    std::vector<std::byte> result;
    for (const Extent& extent : item.extents) {
      if (extent.offset > from.size()) throw corrupt("image data outside of the file");
      const auto rest = from.subspan(static_cast<std::size_t>(extent.offset));
      const auto length = extent.length == 0 ? rest.size() : static_cast<std::size_t>(extent.length);
      if (length > rest.size()) throw corrupt("image data outside of the file");
      if (length > file_.size() - copied_) throw corrupt("image data that is used twice");
      copied_ += length;
      result.insert(result.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length));
    }
    if (result.empty()) throw corrupt("an image without data");
    return result;
  }

  HeifCoded coded(const Item& item) {
    HeifCoded result;
    if (item.type == "av01") {
      result.codec = HeifCodec::av1;
    } else if (item.type == "hvc1") {
      result.codec = HeifCodec::hevc;
    } else {
      throw corrupt("an image that is neither AV1 nor HEVC");
    }
    for (const std::size_t index : item.properties) {
      if (index >= meta_.properties.size()) continue;
      const Box& box = meta_.properties[index];
      if (box.type == "ispe") result.size = size_of(box);
      if (box.type == (result.codec == HeifCodec::av1 ? "av1C" : "hvcC")) result.config = box.body;
    }
    result.data = bytes(item);
    return result;
  }

  static Size size_of(const Box& box) {
    Cursor body{box.body};
    body.number(4);
    const auto w = static_cast<std::int64_t>(body.number(4));
    return {static_cast<std::int64_t>(body.number(4)), w};
  }

  void read_grid(const Item& item, HeifImage& image) {
    const std::vector<std::byte> data = bytes(item);
    Cursor grid{data};
    const std::size_t width = (grid.number(2) & 1) != 0 ? 4 : 2;
    image.rows = static_cast<std::int64_t>(grid.number(1)) + 1;
    image.columns = static_cast<std::int64_t>(grid.number(1)) + 1;
    image.size.w = static_cast<std::int64_t>(grid.number(width));
    image.size.h = static_cast<std::int64_t>(grid.number(width));
    if (static_cast<std::int64_t>(item.tiles.size()) != image.rows * image.columns)
      throw corrupt("a grid with a wrong number of tiles");
    for (const std::uint64_t id : item.tiles) {
      image.tiles.push_back(coded(find(id)));
      const Size first = image.tiles.front().size, tile = image.tiles.back().size;
      if (tile.h != first.h || tile.w != first.w) throw corrupt("tiles of different sizes");
    }
    // The last row and the last column of tiles must overlap the image.
    const Size tile = image.tiles.front().size;
    const auto fits = [](std::int64_t side, std::int64_t one, std::int64_t count) {
      return one > 0 && side > one * (count - 1) && side <= one * count;
    };
    if (!fits(image.size.h, tile.h, image.rows) || !fits(image.size.w, tile.w, image.columns))
      throw corrupt("a grid of an implausible size");
  }

  std::optional<HeifColour> colour(const Item& item) const {
    HeifImage one;
    for (const std::size_t index : item.properties) {
      if (index < meta_.properties.size() && meta_.properties[index].type == "colr")
        apply(meta_.properties[index], one);
    }
    return one.colour;
  }

  static void apply(const Box& box, HeifImage& image) {
    constexpr std::size_t kMostTurns = 8;  // each takes a pass over the image; one rotation and one mirror are usual
    if (image.orientations.size() > kMostTurns) throw corrupt("too many rotations");
    Cursor body{box.body};
    if (box.type == "colr" && body.name() == "nclx") {
      body.number(4);  // primaries and transfer
      const int matrix = static_cast<int>(body.number(2));
      image.colour = {matrix, (body.number(1) & 0x80) != 0};
    } else if (box.type == "irot") {
      constexpr int kCounterClockwise[] = {1, 8, 3, 6};  // index: number of quarter turns
      image.orientations.push_back(kCounterClockwise[body.number(1) & 3]);
    } else if (box.type == "imir") {
      image.orientations.push_back((body.number(1) & 1) == 0 ? 4 : 2);  // swaps top and bottom, or left and right
    } else if (box.type == "clap") {
      double values[4];
      for (std::size_t i = 0; i < 4; ++i) {
        const auto numerator = static_cast<std::int32_t>(body.number(4));
        const auto denominator = static_cast<std::int32_t>(body.number(4));
        if (denominator <= 0) throw corrupt("a crop with an invalid fraction");
        values[i] = double{static_cast<double>(numerator)} / denominator;
      }
      image.crop = {values[0], values[1], values[2], values[3]};
    }
  }

  std::span<const std::byte> file_;
  Meta meta_;
  std::size_t copied_ = 0;
};

}  // namespace

HeifImage read_heif(std::span<const std::byte> file) { return Reader(file).read(); }

}  // namespace effnet::vision
