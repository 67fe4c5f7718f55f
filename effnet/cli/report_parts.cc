#include "effnet/cli/report_parts.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/base/philox.h"
#include "effnet/base/text.h"
#include "effnet/data/split_file.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/session.h"
#include "effnet/graph/costs.h"
#include "effnet/model/measure.h"
#include "effnet/train/recipe/training_view.h"
#include "effnet/vision/training_view.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNamesOfClass = 64;  // training images of a class to choose from
constexpr std::uint64_t kViews = 5;        // augmented views of an image
constexpr double kSeconds = 0.4;           // of each of the two measurements
constexpr std::int64_t kBatch = 16;

// Calls work(). An Error(input), for example of a corrupt file, becomes a warning.
template <class Work>
void or_warn(Output& out, std::string_view consequence, Work work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    out.warn(fmt::format("{}: {}", consequence, error.what()));
  }
}

vision::Image pixels_of(const std::vector<float>& input, const Preprocessing& rule) {
  vision::Image image{rule.crop.h, rule.crop.w, std::vector<std::uint8_t>(input.size())};
  for (std::size_t i = 0; i < input.size(); ++i) {
    const double value = 255 * (double{input[i]} * rule.std[i % 3] + rule.mean[i % 3]);
    image.rgb[i] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
  }
  return image;
}

// A field of a JSON file that is a text; empty if there is none. run_report() reports corrupt files.
std::string text_field(const fs::path& file, const std::vector<const char*>& path) {
  if (!fs::exists(file)) return {};
  const Json document = Json::parse(read_text(file), nullptr, false);
  const Json* at = &document;
  for (const char* key : path) {
    if (!at->is_object() || !at->contains(key)) return {};
    at = &(*at)[key];
  }
  return at->is_string() ? at->get<std::string>() : "";
}

}  // namespace

RunImages::RunImages(const fs::path& run, const std::string& folder, Output& out) {
  or_warn(out, "the page has no images", [&] {
    train::Recipe recipe;
    if (const fs::path config = run / "config.toml"; fs::exists(config))
      recipe = train::parse_recipe(read_text(config), config.string());
    std::string recorded = text_field(run / "finetune.json", {"data", "folder"});
    if (recorded.empty()) recorded = text_field(run / "summary.json", {"data"});
    const data::Source source(!folder.empty() ? folder : recorded, recipe.data.labels);
    if (source.folder.empty()) return;
    const data::AllImages all = data::open_all(source);
    std::vector<data::Part> parts = all.parts();
    if (!recipe.data.split.empty()) {
      // The run's own split file goes with the run if its folder is moved.
      const fs::path own = run / "split.csv";
      parts = data::read_split_file(fs::exists(own) ? own : fs::path(recipe.data.split), *all.set,
                                    [](std::int64_t) { return data::Part::train; });
    }
    count(*all.set, parts);
    read_ = report::images_by_name(all.set);
  });
}

void RunImages::count(const data::Dataset& set, const std::vector<data::Part>& parts) {
  classes_ = set.classes();
  counts_.resize(classes_.size());
  training_.resize(classes_.size());
  for (std::size_t c = 0; c < classes_.size(); ++c) counts_[c].name = classes_[c];
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto label = static_cast<std::size_t>(set.label(i));
    const data::Part part = parts[static_cast<std::size_t>(i)];
    report::ClassCounts& counts = counts_[label];
    ++(part == data::Part::train ? counts.train : part == data::Part::val ? counts.val : counts.test);
    if (part == data::Part::train && training_[label].size() < kNamesOfClass) training_[label].push_back(set.name(i));
  }
}

std::vector<std::string> RunImages::training_names(std::size_t most, const std::vector<std::string>& other) const {
  const std::set<std::string> left_out(other.begin(), other.end());
  std::vector<std::string> names;
  // The classes are spread evenly, if there are more than `most`.
  const std::size_t classes = training_.size(), count = std::min(most, classes);
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<std::string>& list = training_[i * classes / count];
    const auto found = std::ranges::find_if(list, [&](const std::string& name) { return !left_out.contains(name); });
    if (found != list.end()) names.push_back(*found);
  }
  return names;
}

RunModel::RunModel(const fs::path& run, ThreadPool& pool, Output& out)
    : run_(run), file_(run / "model.safetensors"), pool_(pool), out_(out) {
  if (!fs::exists(file_)) return;
  or_warn(out, "the page has no class names, activation maps and speed of the model", [&] {
    const model::Note note = [&out](std::string_view text) { out.note(text); };
    handle_ = std::make_shared<model::ModelHandle>(file_.string(), model::HandleOptions{.note = note}, pool);
  });
}

std::vector<std::string> RunModel::labels() const {
  return handle_ ? handle_->info().labels : std::vector<std::string>();
}

report::Heat RunModel::heat(const report::ReadImage& read) {
  if (!handle_ || !read) return {};
  try {
    engine::cam_head(*handle_->graph());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    return {};  // the head has no global pool
  }
  struct State {
    std::shared_ptr<model::ModelHandle> handle;
    std::optional<model::Classifier> classifier;  // made for the first image
  };
  auto state = std::make_shared<State>(State{handle_, {}});
  return [state, read, &pool = pool_](const std::string& name, std::int64_t class_index) -> report::Jpeg {
    const std::optional<vision::Image> photo = read(name);
    if (!photo || class_index < 0 || class_index >= state->handle->arch().classes) return {};
    if (!state->classifier) state->classifier.emplace(*state->handle, model::ClassifierOptions{}, pool);
    const model::Answer answer = state->classifier->classify(
        *photo, {.top = 1, .map = true, .map_class = static_cast<std::size_t>(class_index)});
    return report::small_jpeg(model::overlay(*photo, *answer.map));
  };
}

report::Views RunModel::views(const report::ReadImage& read) {
  const fs::path config = run_ / "config.toml";
  if (!handle_ || !read || !fs::exists(config)) return {};
  report::Views views;
  or_warn(out_, "the page has no augmented images", [&] {
    const train::Recipe recipe = train::parse_recipe(read_text(config), config.string());
    const vision::TrainingView view = train::training_view(recipe, handle_->preprocessing());
    if (view.augment == vision::Augment::none && view.shift_px == 0 && view.erasing == 0) return;
    views = [view, read, seed = recipe.seed](const std::string& name) {
      std::vector<report::Jpeg> all;
      const std::optional<vision::Image> photo = read(name);
      if (!photo) return all;
      const Size size = view.evaluation.crop;
      std::vector<float> input(static_cast<std::size_t>(3 * size.h * size.w));
      for (std::uint64_t i = 0; i < kViews; ++i) {
        vision::make_training_input(*photo, view, {.seed = seed, .epoch = i, .sample = stream_of(name) >> 32}, input);
        all.push_back(report::small_jpeg(pixels_of(input, view.evaluation)));
      }
      return all;
    };
  });
  return views;
}

std::optional<report::ModelSpeed> RunModel::speed() {
  std::optional<report::ModelSpeed> result;
  if (!handle_) return result;
  or_warn(out_, "the page has no speed of the model", [&] {
    const std::shared_ptr<const graph::Graph> graph = handle_->graph();
    const auto weights = handle_->packed(kernels::isa_of(""));
    const int threads = pool_.threads();
    const auto median_ms = [&](std::int64_t batch) {
      engine::Session session(*graph, weights, {.batch = batch, .threads = threads});
      return model::measure(session, model::photo_like(graph->input(), batch, pool_), kSeconds).median();
    };
    report::ModelSpeed speed;
    const graph::Costs costs = graph::costs(*graph);
    speed.params = costs.params;
    speed.macs = costs.macs;
    speed.file_bytes = static_cast<std::int64_t>(fs::file_size(file_));
    speed.resolution = to_string({graph->input().h, graph->input().w});
    speed.one_image_ms = median_ms(1);
    // A large network is measured with one image only: a batch would take too long.
    speed.batch = speed.one_image_ms * kBatch < 1000 * kSeconds ? kBatch : 1;
    speed.images_per_second =
        1000 * static_cast<double>(speed.batch) / (speed.batch > 1 ? median_ms(speed.batch) : speed.one_image_ms);
    speed.threads = threads;
    speed.cpu = cpu_model();
    speed.isa = kernels::name(weights->isa());
    result = speed;
  });
  return result;
}

}  // namespace effnet::cli
