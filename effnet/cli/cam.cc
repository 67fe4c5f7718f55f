#include "effnet/cli/cam.h"

#include <algorithm>
#include <filesystem>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/image_paths.h"
#include "effnet/cli/output_files.h"
#include "effnet/data/class_names.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/draw.h"
#include "effnet/vision/draw_grid.h"
#include "effnet/vision/formats.h"
#include "effnet/vision/resize.h"

namespace effnet::cli {
namespace {

namespace fs = std::filesystem;

enum class Layout { one, folder, grid };

// One image is a file of its own. Several images are files in a folder if OUT is a folder, ends with "/" or has no
// extension; otherwise they are a grid.
Layout layout_of(const CamOptions& o, bool several) {
  const bool folder = o.out.ends_with("/") || is_folder(o.out) || (several && !fs::path(o.out).has_extension());
  if (!o.models.empty() && folder)
    throw usage_error("--models draws one grid (got the folder {}, expected -o FILE.png)", in_quotes(o.out));
  if (!o.models.empty()) return Layout::grid;
  return folder ? Layout::folder : several ? Layout::grid : Layout::one;
}

// The models of the columns: MODEL, then those of --models.
std::vector<std::string> model_names(const CamOptions& o) {
  std::vector<std::string> names{o.model};
  if (o.models.empty()) return names;
  for (const std::string& name : split_list(o.models)) {
    if (name.empty())
      throw usage_error("--models: an empty name (got {}, expected a list such as A,B)", in_quotes(o.models));
    names.push_back(name);
  }
  return names;
}

// A model that is ready to make maps of its classes.
class Maps {
 public:
  Maps(const std::string& name, const CamOptions& o, ThreadPool& pool, Output& out, MapMaker maker)
      : name_(name), options_(o), handle_(load_model(name, o.load, pool, out)) {
    if (!o.shown.empty()) shown_ = class_of(handle_, o.shown);
    map_of_ = maker(handle_, o, pool);
  }
  Maps(const Maps&) = delete;  // map_of_ refers to handle_
  Maps& operator=(const Maps&) = delete;

  // Returns the photo with its map. Stores the class in `map`.
  vision::Image draw(const vision::Image& photo, CamResult::Map& map, std::optional<Size> size = {}) const {
    const model::ActivationMap activation = map_of_(photo, shown_);
    map.shown = activation.shown;
    map.model = name_;
    map.weights = handle_.weights_from();
    return model::overlay(photo, activation, {.strength = static_cast<float>(options_.alpha)}, size);
  }

 private:
  std::string name_;
  const CamOptions& options_;
  model::ModelHandle handle_;
  std::optional<std::size_t> shown_;
  MapOf map_of_;
};

// Writes one file for each image. An unreadable image is stored as an error, and the others are still drawn.
void draw_files(const CamOptions& o, const std::vector<std::string>& paths, Layout layout, const Maps& maps,
                Output& out, CamResult& result) {
  const bool folder = layout == Layout::folder;
  const vision::Encoder encode = folder ? vision::encode_png : vision::image_encoder(o.out);
  if (folder) make_folders(o.out);
  CamPaths names(o.out);
  Progress progress(out, "cam", static_cast<std::int64_t>(paths.size()));
  for (const std::string& path : paths) {
    check_interrupt();
    CamResult::Map map{.image = path};
    try {
      const vision::Image drawn = maps.draw(vision::read_image(path), map);
      map.path = folder ? names.next(path) : o.out;
      write_bytes(map.path, encode(drawn));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input || !folder) throw;
      map.error = error;
    }
    result.maps.push_back(std::move(map));
    progress.update(static_cast<std::int64_t>(result.maps.size()));
  }
}

void draw_grid(const CamOptions& o, const std::vector<std::string>& paths, const std::vector<std::string>& models,
               ThreadPool& pool, Output& out, MapMaker maker, CamResult& result) {
  const vision::Encoder encode = vision::image_encoder(o.out);
  const auto cells = static_cast<std::int64_t>(paths.size() * (models.size() + 1));
  if (cells > vision::kMaxGridCells)
    throw usage_error("too many images for a grid (got {} cells, expected at most {})", cells, vision::kMaxGridCells)
        .with_hint("-o DIR/ writes one file for each image");
  vision::Grid grid{.titles = {"image"}, .rows = std::vector<std::vector<vision::GridCell>>(paths.size())};
  std::vector<std::vector<CamResult::Map>> columns;
  Progress progress(out, "cam", cells);
  std::int64_t done = 0;
  // One column after the other, so that only one model is in memory.
  for (const std::string& model : models) {
    const Maps maps(model, o, pool, out, maker);
    grid.titles.push_back(fs::path(model).filename().empty() ? model : fs::path(model).filename().string());
    columns.emplace_back();
    for (std::size_t i = 0; i < paths.size(); ++i) {
      check_interrupt();
      const vision::Image photo = vision::read_image(paths[i]);
      const Size size = vision::fitted({photo.h, photo.w}, vision::kGridCell);
      std::vector<vision::GridCell>& row = grid.rows[i];
      if (row.empty())
        row.push_back({vision::resize(photo, size, Filter::bilinear), {fs::path(paths[i]).filename().string()}});
      CamResult::Map& map = columns.back().emplace_back(CamResult::Map{.image = paths[i], .path = o.out});
      vision::Image drawn = maps.draw(photo, map, size);
      row.push_back({std::move(drawn), {map.shown.label, fmt::format("{:.1f} %", 100 * map.shown.score)}});
      progress.update(++done);
    }
  }
  write_bytes(o.out, encode(vision::draw_grid(grid)));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::vector<CamResult::Map>& column : columns) result.maps.push_back(std::move(column[i]));
  }
}

void check(const CamOptions& o) {
  check_backend_name(o.backend);
  if (o.method != "cam" && o.method != "gradcam")
    throw usage_error("--method: unknown method (got {}, expected cam or gradcam)", in_quotes(o.method));
  if (!o.layer.empty() && o.method != "gradcam")
    throw usage_error("--layer needs --method gradcam (got --method {}, expected gradcam)", o.method);
  if (o.backend != CamOptions{}.backend && o.method == "gradcam")
    throw usage_error("--backend: LibTorch computes gradcam (got --backend {}, expected --method cam)", o.backend);
  if (!(o.alpha >= 0 && o.alpha <= 1)) throw usage_error("--alpha: out of range (got {}, expected 0 to 1)", o.alpha);
  check_no_stdout("-o", o.out);
  for (const std::string& image : o.images) check_not_input("-o", o.out, image);
  for (const std::string& model : model_names(o)) check_not_input("-o", o.out, model);
}

// A hint with the labels that contain the text, otherwise with the most similar label or, of few classes, with all.
std::string labels_like(const std::string& text, const std::vector<std::string>& labels) {
  constexpr std::size_t kListed = 8;
  const std::string wanted = data::normalised_label(text);
  std::vector<std::string> like;
  for (const std::string& label : labels) {
    if (like.size() < kListed && data::normalised_label(label).find(wanted) != std::string::npos)
      like.push_back(in_quotes(label));
  }
  const std::optional<std::string> near = nearest(text, labels);
  if (like.empty() && near) like.push_back(in_quotes(*near));
  if (!like.empty()) return fmt::format("did you mean {}?", one_of(like));
  if (labels.empty() || labels.size() > kListed) return "effnet predict MODEL IMAGE prints labels and indices";
  for (const std::string& label : labels) like.push_back(in_quotes(label));
  return fmt::format("the classes are {}", fmt::join(like, ", "));
}

}  // namespace

void declare_options(CLI::App& command, CamOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  command.add_option("IMAGE", options.images, "Images: " + vision::image_formats() + kFolderHelp)->required();
  add_output(command, "-o,--out", options.out,
             "Write the image to this file; the extension decides the format: " + vision::written_extensions() +
                 ". Several images make a grid in this file, or with DIR/ one file each in this folder")
      ->type_name("OUT.png|DIR/")
      ->required();
  command
      .add_option("--models", options.models,
                  "Draw a grid: one row for each image, one column for MODEL and for each of these models")
      ->type_name("B,C");
  command.add_option("--class", options.shown, "Show this class: its index, label or class id [the predicted class]")
      ->type_name("K");
  command.add_option("--method", options.method,
                     "Compute with cam, or with gradcam, which works for every network and layer (needs effnet-train)");
  command
      .add_option("--layer", options.layer,
                  "With gradcam: show the output of this layer; effnet inspect MODEL --layers lists them [the last "
                  "feature map]")
      ->type_name("NAME");
  command.add_option("--alpha", options.alpha, "Opacity of the hottest point, 0 to 1")->type_name("A");
  command
      .add_option("--resolution", options.resolution,
                  "Use this input size: pixels, or HxW; a larger one gives a finer map [the model's]")
      ->type_name("R");
  command.add_option("--backend", options.backend, kBackendHelp);
  options.load.declare(command);
}

std::size_t class_of(const model::ModelHandle& model, const std::string& text) {
  const auto classes = static_cast<std::size_t>(model.arch().classes);
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) {
    const std::size_t index = text.size() < 9 ? std::stoul(text) : classes;
    if (index < classes) return index;
    throw usage_error("--class: out of range (got {}, expected 0 to {}, a label or a class id)", text, classes - 1);
  }
  for (const std::vector<std::string>* names : {&model.info().class_ids, &model.info().labels}) {
    const auto found = std::ranges::find(*names, text);
    if (found == names->end()) continue;
    if (std::ranges::count(*names, text) > 1)
      throw usage_error("--class: several classes have this label (got {}, expected an index or a class id)",
                        in_quotes(text));
    return static_cast<std::size_t>(found - names->begin());
  }
  throw usage_error("--class: unknown class (got {}, expected an index from 0 to {}, a label or a class id)",
                    in_quotes(text), classes - 1)
      .with_hint(labels_like(text, model.info().labels));
}

MapOf engine_maps(model::ModelHandle& model, const CamOptions& o, ThreadPool& pool) {
  const auto classifier = std::make_shared<model::Classifier>(
      model, model::ClassifierOptions{.executor = o.backend, .preprocessing = preprocessing_at(model, o.resolution)},
      pool);
  return [classifier](const vision::Image& photo, std::optional<std::size_t> shown) {
    return *classifier->classify(photo, {.top = 1, .map = true, .map_class = shown}).map;
  };
}

CamResult run_cam(const CamOptions& o, const Globals& globals, Output& out, MapMaker maker) {
  check(o);
  const std::vector<std::string> models = model_names(o);
  const bool several = o.images.size() > 1 || is_folder(o.images.front());
  const Layout layout = layout_of(o, several);
  if (layout != Layout::folder) vision::image_encoder(o.out);  // refuses a wrong extension before the model is loaded
  const std::vector<std::string> paths = image_paths(o.images);
  if (layout == Layout::folder) check_cam_folder("-o", o.out, paths);
  ThreadPool pool(thread_count(globals));
  CamResult result{.maps = {}, .list = layout != Layout::one};
  if (layout == Layout::grid) {
    draw_grid(o, paths, models, pool, out, maker, result);
  } else {
    draw_files(o, paths, layout, Maps(o.model, o, pool, out, maker), out, result);
  }
  return result;
}

Json to_json(const CamResult& result) {
  const auto one = [](const CamResult::Map& map) -> Json {
    if (map.error) return {{"image", map.image}, {"error", map.error->what()}};
    return {{"class", map.shown.index}, {"label", map.shown.label}, {"score", map.shown.score},
            {"weights", map.weights},   {"path", map.path},         {"image", map.image},
            {"model", map.model}};
  };
  if (!result.list) return one(result.maps.front());
  Json maps = Json::array();
  for (const CamResult::Map& map : result.maps) maps.push_back(one(map));
  return maps;
}

std::string to_text(const CamResult& result) {
  std::string text;
  for (const CamResult::Map& map : result.maps) {
    if (map.error) continue;
    const auto& [index, label, score] = map.shown;
    const std::string which = result.list ? fmt::format("{}, {}: ", map.image, map.model) : "";
    text += fmt::format("{}{} ({}) {:.2f} %: written to {}\n", which, label, index, 100 * score, map.path);
  }
  return text;
}

Body declare_cam_with(CLI::App& command, const Globals& globals, MapMaker maker) {
  auto options = std::make_shared<CamOptions>();
  declare_options(command, *options);
  return [options, maker, &globals](Output& out) {
    const CamResult result = run_cam(*options, globals, out, maker);
    bool failed = false;
    for (const CamResult::Map& map : result.maps) {
      if (map.error) out.error(*map.error);
      failed |= map.error.has_value();
    }
    show(result, globals, out);
    return failed ? static_cast<int>(ErrorCode::input) : 0;
  };
}

Body declare_cam(CLI::App& command, const Globals& globals) { return declare_cam_with(command, globals, engine_maps); }

}  // namespace effnet::cli
