// The images of a fine-tuning run and their parts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/data/dataset.h"
#include "effnet/train/finetune/finetune.h"
#include "effnet/train/finetune/plan.h"

namespace effnet::train {

struct SplitImages {
  std::shared_ptr<const data::Dataset> all;
  std::vector<data::Part> parts;  // of each image of `all`

  std::shared_ptr<const data::Dataset> part(data::Part wanted) const { return data::with_parts(all, parts, {wanted}); }
  DataSize size() const;  // reads some images for the median side
};

// Reads all images, splits them, sets record.data and record.split and writes RUN/split.csv.
//   The source has          train                       val                         test
//   no parts, or train      by content                  by content                  by content
//   train and val           train, without the new val  of train, by content        val
//   train and test          train, without the new val  of train, by content        test
//   train, val and test     train                       val                         test
// With options.from, images that were in that run keep their parts. Adds what a user should know to record.warnings.
SplitImages split_data(const FinetuneOptions& options, ThreadPool& pool, report::FinetuneFile& record);

// Opens the images again with the parts in RUN/split.csv. Throws Error(input) if there is an image without a part, or
// if classes, or their numbers of images in a part, are not those of `recorded`.
SplitImages reopen_data(const FinetuneOptions& options, const report::FinetuneData& recorded);

}  // namespace effnet::train
