#include "effnet/model/classifier.h"

#include <algorithm>
#include <chrono>

#include "effnet/base/error.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/classify.h"
#include "effnet/model/executor.h"
#include "effnet/vision/resize.h"

namespace effnet::model {
namespace {

bool is_bytes(const vision::Sampled& view) { return view.exact.rgb.empty(); }

Size size_of(const vision::Sampled& view) {
  return is_bytes(view) ? Size{view.pixels.h, view.pixels.w} : Size{view.exact.h, view.exact.w};
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Converts views to the input of an executor. Bytes are passed on unchanged, because the executor normalises them. The
// TensorFlow filters give floats instead of bytes; these are normalised here.
class Batch {
 public:
  Batch(std::span<const vision::Sampled> views, const Classifier& classifier, const Preprocessing& rule,
        ThreadPool& pool) {
    const Size size = size_of(views.front());
    const auto each = static_cast<std::size_t>(3 * size.h * size.w);
    const bool bytes = is_bytes(views.front());
    for (const vision::Sampled& view : views) EFFNET_CHECK(size_of(view) == size && is_bytes(view) == bytes);
    input_.size = size;
    input_.batch = static_cast<std::int64_t>(views.size());
    if (bytes) {
      std::copy(rule.mean.begin(), rule.mean.end(), input_.normalisation.mean);
      std::copy(rule.std.begin(), rule.std.end(), input_.normalisation.std);
      input_.rgb = views.front().pixels.rgb;
      if (views.size() == 1) return;
      for (const vision::Sampled& view : views) rgb_.insert(rgb_.end(), view.pixels.rgb.begin(), view.pixels.rgb.end());
      input_.rgb = rgb_;
      return;
    }
    values_.resize(views.size() * each);
    pool.parallel_for(input_.batch, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
        std::ranges::copy(classifier.values(views[i]), values_.begin() + static_cast<std::ptrdiff_t>(i * each));
    });
    input_.values = values_;
  }

  Batch(const Batch&) = delete;  // the spans in input_ refer to the other members
  Batch& operator=(const Batch&) = delete;

  const Input& input() const { return input_; }

 private:
  std::vector<std::uint8_t> rgb_;
  std::vector<float> values_;
  Input input_;
};

}  // namespace

Classifier::Classifier(ModelHandle& model, const ClassifierOptions& options, ThreadPool& pool)
    : model_(model),
      pool_(pool),
      preprocessing_(options.preprocessing.value_or(model.preprocessing())),
      executor_(make_executor(options.executor, model, pool)) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;

vision::Sampled Classifier::view(const vision::Image& photo) const {
  return vision::sample_crop(photo, preprocessing_);
}

std::vector<float> Classifier::values(const vision::Sampled& view) const {
  const Preprocessing& rule = preprocessing_;
  return is_bytes(view) ? vision::normalise(view.pixels, rule.mean, rule.std)
                        : vision::normalise(view.exact, rule.mean, rule.std);
}

std::vector<float> Classifier::logits(std::span<const vision::Sampled> views) {
  if (views.empty()) return {};
  return executor_->logits(Batch(views, *this, preprocessing_, pool_).input());
}

std::vector<std::vector<float>> Classifier::outputs(std::span<const vision::Sampled> views,
                                                    const std::vector<graph::NodeId>& nodes) {
  if (views.empty()) return std::vector<std::vector<float>>(nodes.size());
  return executor_->outputs(Batch(views, *this, preprocessing_, pool_).input(), nodes);
}

std::vector<float> Classifier::embeddings(std::span<const vision::Sampled> views) {
  return std::move(outputs(views, {embedding_node(*model_.graph(preprocessing_.crop))}).front());
}

std::int64_t Classifier::embedding_width() {
  const std::shared_ptr<const graph::Graph> graph = model_.graph(preprocessing_.crop);
  return graph->at(embedding_node(*graph)).out.c;
}

graph::NodeId embedding_node(const graph::Graph& graph) {
  const graph::Node& last = graph.at(graph.logits);
  if (!std::holds_alternative<graph::Linear>(last.op)) {
    throw usage_error("{} has no embedding (got {} as its last layer, expected a linear classifier)", graph.name,
                      graph::op_name(last.op));
  }
  graph::NodeId node = last.inputs[0];
  const auto passes_through = [&](const graph::Node& one) {
    return std::holds_alternative<graph::Dropout>(one.op) || std::holds_alternative<graph::Identity>(one.op);
  };
  while (passes_through(graph.at(node))) node = graph.at(node).inputs[0];
  return node;
}

Answer Classifier::classify(const vision::Image& photo, const AnswerOptions& options) {
  return classify(view(photo), options);
}

Answer Classifier::classify(const vision::Sampled& view, const AnswerOptions& options) {
  const std::int64_t classes = model_.arch().classes;
  if (options.map_class && static_cast<std::int64_t>(*options.map_class) >= classes)
    throw usage_error("class out of range (got {}, expected 0 to {})", *options.map_class, classes - 1);
  const Batch batch(std::span(&view, 1), *this, preprocessing_, pool_);
  Answer answer;
  Features features;
  const auto start = std::chrono::steady_clock::now();
  if (options.map) {
    features = executor_->features(batch.input());
    answer.logits = std::move(features.logits);
  } else {
    answer.logits = executor_->logits(batch.input());
  }
  answer.ms = ms_since(start);

  const double temperature = model_.info().calibration.value_or(formats::Calibration{}).temperature;
  const std::vector<double> scores = engine::softmax(answer.logits, temperature);
  const auto prediction = [&](std::size_t index) { return Prediction{index, model_.label(index), scores[index]}; };
  for (const engine::Ranked& one : engine::top_k(answer.logits, options.top))
    answer.top.push_back(prediction(one.index));
  if (options.map) {
    const std::size_t shown = options.map_class.value_or(engine::top_k(answer.logits, 1).front().index);
    answer.map = {
        prediction(shown),
        {features.shape.h, features.shape.w},
        engine::class_activation_map(features.values, features.shape, classifier_row(shown, batch.input().size)),
        view.crop};
  }
  return answer;
}

// Returns the row of the classifier's weight for a class: one value per channel of the feature map. Loads the weights,
// or computes them again if they are random.
std::vector<float> Classifier::classifier_row(std::size_t class_index, Size size) {
  const std::shared_ptr<const graph::Graph> graph = model_.graph(size);
  const engine::CamHead head = engine::cam_head(*graph);
  const std::vector<float> weight =
      tensor::to_floats(model_.load_weights().weights.at(head.classifier->name + ".weight"));
  const auto width = static_cast<std::size_t>(head.features->out.c);
  const std::span<const float> row = std::span(weight).subspan(class_index * width, width);
  return {row.begin(), row.end()};
}

vision::Image overlay(const vision::Image& photo, const ActivationMap& map, const vision::HeatOptions& heat,
                      std::optional<Size> size) {
  const Size from{photo.h, photo.w};
  if (!size) size = std::max(from.h, from.w) < kOverlaySide ? vision::fitted(from, kOverlaySide) : from;
  if (*size == from) return vision::overlay_heat(photo, map.where, map.values, map.size, heat);
  const double y = static_cast<double>(size->h) / static_cast<double>(photo.h);
  const double x = static_cast<double>(size->w) / static_cast<double>(photo.w);
  const vision::Box where{map.where.x0 * x, map.where.y0 * y, map.where.x1 * x, map.where.y1 * y};
  return vision::overlay_heat(vision::resize(photo, *size, Filter::bilinear), where, map.values, map.size, heat);
}

}  // namespace effnet::model
