// Labelled images for eval and compare-models: finds them, and runs one or more models on all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/data/content.h"
#include "effnet/data/image_folder.h"
#include "effnet/model/classifier.h"

namespace effnet::cli {

struct LabelledOptions {
  std::string folder;   // class folders, splits of them, or with `labels` a folder of images
  std::string labels;   // a CSV with lines file,class or file,class,split; empty: class folders
  std::string classes;  // a file with names of classes; empty: the model's names only
  int batch = 8;
};
void declare_labelled_options(CLI::App& command, LabelledOptions& options);  // --labels, --classes, --batch

// The folder whose images are read: the split test of `o.folder` if it has one, otherwise val, otherwise `o.folder`.
std::string folder_of_images(const LabelledOptions& o);

// Returns the images with the indices of their classes in `model`. Of a list with splits, only the images of test, or
// of val if no image is in test. Writes warnings about how names were interpreted.
// Throws Error(input) if there are no images or if a class is unknown.
data::ImageSet read_labelled_images(const LabelledOptions& o, const formats::Model& model, Output& out);

// A model that runs on the images, ready to classify.
struct Runner {
  Runner(model::ModelHandle& handle, const std::string& backend, const std::string& resolution, ThreadPool& pool);
  Preprocessing rule;
  model::Classifier classifier;
  double seconds = 0;  // of the network's runs, without decoding and resizing
};

// Runs every runner on every image that can be read, in batches. Each image is decoded once, and resized once for each
// different preprocessing rule. For each image, calls `each` with its class and one row of logits for each runner.
// Appends unreadable images to set.skipped, and warns about skipped files if `warn`. If `contents` is not null, it
// receives what each of the other images shows. Returns the seconds of all work. Throws Error(input) if no image can be
// read.
using OnLogits = std::function<void(std::int64_t true_class, std::span<const std::span<const float>> logits)>;
double run_on_images(data::ImageSet& set, const LabelledOptions& o, std::span<Runner*> runners, ThreadPool& pool,
                     bool warn, Output& out, const OnLogits& each, std::vector<data::ImageContent>* contents = nullptr);

Json skipped_json(const std::vector<data::SkippedFile>& skipped);

}  // namespace effnet::cli
