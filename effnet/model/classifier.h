// Classifies photographs: combines a model, its preprocessing and an executor.
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
#include "effnet/vision/draw.h"
#include "effnet/vision/image.h"
#include "effnet/vision/preprocess.h"

namespace effnet::model {

class Executor;

struct Prediction {
  std::size_t index = 0;
  std::string label;  // "class 7" if the model has no labels
  double score = 0;   // softmax probability, at the temperature of the model's calibration if it has one
};

// A class activation map: the regions of a photograph that support a class (engine/cam.h).
struct ActivationMap {
  Prediction shown;  // the class that the map shows
  Size size;
  std::vector<float> values;  // h x w
  vision::Box where;          // the region of the photograph that the map covers
};

struct Answer {
  std::vector<Prediction> top;  // best first; among equal logits the lower index first
  std::vector<float> logits;
  double ms = 0;  // time of the network, without decoding and resizing
  std::optional<ActivationMap> map;
};

struct AnswerOptions {
  std::size_t top = 5;                        // number of predictions, at most the number of classes
  bool map = false;                           // also compute the class activation map
  std::optional<std::size_t> map_class = {};  // the class of the map; default: the best class
};

struct ClassifierOptions {
  std::string executor = "engine";                  // see executor.h
  std::optional<Preprocessing> preprocessing = {};  // overrides the model's preprocessing
};

// One thread at a time may use it.
class EFFNET_API Classifier {
 public:
  // Loads the packed weights from the cache or packs them. Keeps references to `model` and `pool`. Throws Error(usage)
  // for an unknown executor, and the errors of ModelHandle::packed and ModelHandle::load_weights.
  Classifier(ModelHandle& model, const ClassifierOptions& options, ThreadPool& pool);
  ~Classifier();
  Classifier(Classifier&&) noexcept;

  // Throws Error(usage) if map_class is out of range, or if a map is requested and the network's head does not support
  // maps. Throws Error(input) if a logit is not finite.
  Answer classify(const vision::Image& photo, const AnswerOptions& options = {});
  // The same for pixels that are already preprocessed, or that need no preprocessing. The network runs at their size.
  Answer classify(const vision::Sampled& view, const AnswerOptions& options = {});
  // Returns the logits of a batch of views, which must have the same size: batch x classes.
  std::vector<float> logits(std::span<const vision::Sampled> views);
  // Returns the embeddings of a batch of views, which must have the same size: batch x embedding_width(). The embedding
  // of an image is the input of the classifier: in EfficientNets the output of the global pool. Throws Error(usage) if
  // the network does not end with a linear classifier.
  std::vector<float> embeddings(std::span<const vision::Sampled> views);
  std::int64_t embedding_width();
  // Returns the outputs of nodes for a batch of views: batch x C x H x W for each node, in the order of `nodes`, which
  // are nodes of ModelHandle::graph() at the views' size. Graph::reductions has the nodes of feature maps at 1/2 to
  // 1/32 of the input size; embedding_node() the one of the embedding. One run of the network computes all.
  std::vector<std::vector<float>> outputs(std::span<const vision::Sampled> views,
                                          const std::vector<graph::NodeId>& nodes);

  // Applies the preprocessing: resizes and crops the photograph. Several threads may call it at the same time.
  vision::Sampled view(const vision::Image& photo) const;
  // Returns the network's input for a view: 3 x h x w, normalised.
  std::vector<float> values(const vision::Sampled& view) const;

 private:
  std::vector<float> classifier_row(std::size_t class_index, Size size);

  ModelHandle& model_;
  ThreadPool& pool_;
  Preprocessing preprocessing_;
  std::unique_ptr<Executor> executor_;
};

// Returns the node whose output is the embedding. Throws Error(usage) if the network does not end with a linear
// classifier.
EFFNET_API graph::NodeId embedding_node(const graph::Graph& graph);

// The longer side of an image with a map has at least this many pixels. In a smaller image a map cannot be read.
inline constexpr std::int64_t kOverlaySide = 240;

// Returns the photograph with the map drawn over it as a heat map. The result has `size`; without it, the photograph's
// size, enlarged if its longer side is below kOverlaySide.
EFFNET_API vision::Image overlay(const vision::Image& photo, const ActivationMap& map,
                                 const vision::HeatOptions& heat = {}, std::optional<Size> size = {});

}  // namespace effnet::model
