// Photographs in, predictions out: a model, its preprocessing, and what computes it.
//
//   ThreadPool pool(usable_cores());
//   model::ModelHandle handle("efficientnet_lite0", {}, pool);
//   model::Classifier classifier(handle, {}, pool);
//   for (const model::Prediction& one : classifier.classify(vision::read_image("cat.jpg")).top) ...
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/preprocessing.h"
#include "effnet/base/thread_pool.h"
#include "effnet/model/model_handle.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"

namespace effnet::model {

class Executor;

struct Prediction {
  std::size_t index = 0;
  std::string label;  // "class 7" where the model has no labels
  double score = 0;   // the softmax of the logits
};

// Where in a photograph the evidence for a class is (engine/cam.h).
struct ActivationMap {
  Prediction shown;
  Size size;
  std::vector<float> values;  // h x w
  vision::Box where;          // the part of the photograph that the map covers
};

struct Answer {
  std::vector<Prediction> top;  // best first; equal logits by index, lower first
  std::vector<float> logits;
  double ms = 0;  // of computing, without decoding and resizing
  std::optional<ActivationMap> map;
};

struct AnswerOptions {
  std::size_t top = 5;                        // predictions, at most one a class
  bool map = false;                           // the class activation map too
  std::optional<std::size_t> map_class = {};  // of this class; [the best one]
};

struct ClassifierOptions {
  std::string executor = "engine";                  // executor.h
  std::optional<Preprocessing> preprocessing = {};  // instead of the model's: another size, mean, deviation
};

// Used by one thread at a time.
class EFFNET_API Classifier {
 public:
  // Finds or packs the weights. `model` and `pool` outlive the classifier. Throws Error(usage) for an unknown executor,
  // and what ModelHandle::packed and whole throw.
  Classifier(ModelHandle& model, const ClassifierOptions& options, ThreadPool& pool);
  ~Classifier();
  Classifier(Classifier&&) noexcept;

  // Throws Error(usage) for a class that is none, and for a map of a network whose head has none; Error(input) for
  // logits that are not finite.
  Answer classify(const vision::Image& photo, const AnswerOptions& options = {});
  // The same of pixels that the preprocessing's rule made, or that go in as they are: the network takes their size.
  Answer classify(const vision::Sampled& view, const AnswerOptions& options = {});
  // Of a batch of one size: batch x classes.
  std::vector<float> logits(std::span<const vision::Sampled> views);

  // What the network sees of a photograph. Safe to call from several threads.
  vision::Sampled view(const vision::Image& photo) const;
  // The network's input: (3, h, w), normalised.
  std::vector<float> values(const vision::Sampled& view) const;

 private:
  std::vector<float> classifier_row(std::size_t class_index, Size size);

  ModelHandle& model_;
  ThreadPool& pool_;
  Preprocessing preprocessing_;
  std::unique_ptr<Executor> executor_;
};

// The photograph with the map over it, hot where the evidence is.
EFFNET_API vision::Image overlay(const vision::Image& photo, const ActivationMap& map);

}  // namespace effnet::model
