#include "effnet/data/split_folder.h"

#include <algorithm>
#include <set>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/folder.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/data/split_file.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

// The place of each image below its split: CLASS/FILE. Throws Error(input) if two images have the same place.
std::vector<fs::path> places_of(const Source& source, const Dataset& set) {
  std::vector<fs::path> places;
  std::set<fs::path> taken;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const fs::path name = fs::path(set.name(i)).lexically_normal();  // a list may have "a/../../b.jpg"
    fs::path file;  // without the class folder; images outside of the source's folder only keep their file names
    const bool outside = name.is_absolute() || *name.begin() == "..";
    for (auto part = name.begin(); part != name.end(); ++part) {
      if (part != name.begin() || !source.labels.empty()) file /= *part;
    }
    places.push_back(fs::path(set.classes()[static_cast<std::size_t>(set.label(i))]) /
                     (outside ? name.filename() : file));
    if (!taken.insert(places.back()).second) {
      throw input_error("{}: two images would have the same name (got {} twice, expected different names in a class)",
                        source.folder.string(), in_quotes(places.back().string()));
    }
  }
  return places;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const FileId id = with_parents(folder).front();
  std::error_code ignored;
  fs::path existing = fs::weakly_canonical(fs::absolute(path, ignored), ignored);  // a new name alone stays relative
  while (!fs::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
  const std::vector<FileId> parents = with_parents(existing);
  return std::find(parents.begin(), parents.end(), id) != parents.end();
}

void check_destination(const Source& source, const fs::path& out) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(out, ignored);
  if (fs::exists(status) && (!fs::is_directory(status) || !list_folder(out).empty())) {
    throw usage_error("{}: this path exists (got {}, expected a new path or an empty folder)", out.string(),
                      fs::is_directory(status) ? "a folder that is not empty" : "a file or a link")
        .with_hint("choose another path: data split never overwrites files");
  }
  if (is_inside(out, source.folder))
    throw usage_error("{}: the output would be inside the dataset (got a path below {}, expected another place)",
                      out.string(), source.folder.string());
}

// Returns whether the file was linked; otherwise it was copied.
bool link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code code;
  const fs::path file = fs::canonical(from, code);  // a link to a symbolic link would be relative to another folder
  if (code) throw input_error("{}: cannot read this file ({})", from.string(), code.message());
  fs::create_hard_link(file, to, code);
  if (!code) return true;
  fs::copy_file(file, to, code);
  if (code) throw environment_error("{}: cannot copy this file to {} ({})", from.string(), to.string(), code.message());
  return false;
}

}  // namespace

void check_split_folder(const Source& source, const AllImages& images, const fs::path& out) {
  check_destination(source, out);
  const std::string first = images.set->name(0);
  std::error_code ignored;
  if (!fs::is_regular_file(source.folder / first, ignored)) {
    throw input_error(
        "{}: the images are not files of their own (got {}, expected class folders, or images with a list)",
        source.folder.string(), in_quotes(first))
        .with_hint("unpack the tar shards or CIFAR's binary files into class folders");
  }
  if (!images.is_bare()) {
    throw input_error(
        "{}: the images already have splits (got images of {}, expected class folders or a list without "
        "splits)",
        source.folder.string(), name_in(kPartNames, *images.origin[0]))
        .with_hint(source.labels.empty() ? fmt::format("to split the training images: effnet data split {}",
                                                       path_in_shell((source.folder / "train").string()))
                                         : "remove the column 'split' from the list");
  }
  for (const std::string& name : images.set->classes()) {
    if (name.find('/') != std::string::npos || name.starts_with('.')) {
      throw input_error("the class {} cannot be the name of a folder (got a slash or a dot at its beginning)",
                        in_quotes(name))
          .with_hint("rename the class in the list of labels");
    }
  }
  places_of(source, *images.set);
}

SplitFolder write_split_folder(const Source& source, const AllImages& images, const std::vector<ImageContent>& contents,
                               const std::vector<Part>& parts, const fs::path& out, const ImagesDone& images_done) {
  check_split_folder(source, images, out);
  const Dataset& set = *images.set;
  const std::vector<fs::path> places = places_of(source, set);
  std::error_code code;
  const fs::path target = fs::absolute(out, code).lexically_normal();
  const fs::path parent = target.has_filename() ? target.parent_path() : target.parent_path().parent_path();
  make_folders(parent);
  const TemporaryFolder temporary(parent);
  const fs::path folder = temporary.path() / "split";

  SplitFolder result;
  std::vector<std::int64_t> written;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    check_interrupt();
    const auto at = static_cast<std::size_t>(i);
    if (!contents[at].why.empty()) {
      result.left_out.push_back(i);
      continue;
    }
    const fs::path to = folder / name_in(kPartNames, parts[at]) / places[at];
    make_folders(to.parent_path());
    ++(link_or_copy(source.folder / set.name(i), to) ? result.linked : result.copied);
    written.push_back(i);
    if (images_done) images_done(i + 1, set.size());
  }
  std::vector<Part> written_parts;
  written_parts.reserve(written.size());
  for (const std::int64_t i : written) written_parts.push_back(parts[static_cast<std::size_t>(i)]);
  write_split_file(folder / "split.csv", *select(images.set, std::move(written)), written_parts);
  check_destination(source, out);
  fs::rename(folder, target.has_filename() ? target : target.parent_path(), code);
  if (code) throw environment_error("{}: cannot create this folder ({})", out.string(), code.message());
  return result;
}

}  // namespace effnet::data
