// What the images of a run show, and their parts, in RUN/contents.safetensors. With it `--from RUN` recognises an image
// that was moved, renamed, resized or encoded again, and gives it the part that it had. The file also has the images of
// the runs that the model comes from (--from, --model RUN), since the model knows them too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "effnet/data/content.h"
#include "effnet/data/part.h"

namespace effnet::transfer {

inline constexpr std::string_view kKnownImagesFile = "contents.safetensors";

struct KnownImages {
  std::vector<data::ImageContent> contents = {};  // of the images that could be decoded
  std::vector<data::Part> parts = {};             // of each of them
};

// The images of `known` that a model of this run was trained on or that chose its settings: those of train and val, and
// with `test_too` also those of test. All have the part train.
KnownImages used_by(const KnownImages& known, bool test_too);

// The images of a run, followed by those of earlier runs that are not in it or that were in another part there.
KnownImages with_earlier(KnownImages own, const KnownImages& earlier);

// Writes the file atomically: tensors `digest` (n, 2) and `hash` (n, 2), each 64 bits as I64, `thumbnail` (n, 432) and
// `part` (n), U8. Images that cannot be decoded are left out.
void write_known_images(const std::filesystem::path& file, const std::vector<data::ImageContent>& contents,
                        const std::vector<data::Part>& parts);

// Throws Error(input) if this is not such a file.
KnownImages read_known_images(const std::filesystem::path& file);

// Near-duplicates among `contents` followed by `known.contents`.
data::ImageGroups groups_with(const std::vector<data::ImageContent>& contents, const KnownImages& known);

struct KeptParts {
  std::int64_t known = 0;                    // images that are in the earlier run
  std::int64_t seen_val = 0, seen_test = 0;  // of these, images of val and of test that the earlier run was trained on
  std::int64_t used_test = 0;  // of these, images of test that the earlier run was trained on or has used for choices
};

// Gives each image i with `chosen[i]` that shows the same as a known image the part of that image. If the images that
// show the same are in several parts, the part is train, because the network has seen one of them.
// `groups`: groups_with(contents, known).
KeptParts keep_parts(const std::vector<data::ImageContent>& contents, const KnownImages& known,
                     const data::ImageGroups& groups, const std::vector<bool>& chosen, std::vector<data::Part>& parts);

// The number of images that show the same as a known image which the run has trained on or has used for choices: one of
// train or val, and with `test_too` also one of test.
std::int64_t used_images(const std::vector<data::ImageContent>& contents, const KnownImages& known, bool test_too);

}  // namespace effnet::transfer
