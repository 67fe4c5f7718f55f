#include "effnet/cli/labelled_images.h"

#include <algorithm>
#include <chrono>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"

namespace effnet::cli {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Loaded {
  std::vector<vision::Sampled> views;  // one for each different preprocessing rule
  data::ImageContent content;          // if it is requested
  std::string why;                     // why the image could not be read; empty: it was read
};

// Decodes a batch in parallel, and resizes each image with each of `rules`.
std::vector<Loaded> load(std::span<const data::LabelledImage> images, std::span<Runner* const> rules, bool contents,
                         ThreadPool& pool) {
  std::vector<Loaded> loaded(images.size());
  pool.parallel_for(static_cast<std::int64_t>(images.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        const vision::Image photo = vision::read_image(images[i].path);
        for (const Runner* runner : rules) loaded[i].views.push_back(runner->classifier.view(photo));
        if (contents) loaded[i].content = data::content_of(photo);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::input) throw;
        loaded[i].why = error.what();
      }
    }
  });
  return loaded;
}

// Returns one runner for each different rule, and for each runner the position of its rule in that list.
struct Rules {
  std::vector<Runner*> different;
  std::vector<std::size_t> of;
};
Rules rules_of(std::span<Runner*> runners) {
  Rules rules;
  for (Runner* runner : runners) {
    const auto found = std::ranges::find_if(rules.different, [&](Runner* one) { return one->rule == runner->rule; });
    rules.of.push_back(static_cast<std::size_t>(found - rules.different.begin()));
    if (found == rules.different.end()) rules.different.push_back(runner);
  }
  return rules;
}

// Warns about the first kShown skipped files; --json lists all.
void warn_skipped(const std::vector<data::SkippedFile>& skipped, Output& out) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(skipped.size(), kShown); ++i)
    out.warn(fmt::format("skipped {}: {}", in_quotes(skipped[i].path.string()), skipped[i].why));
  if (skipped.size() > kShown) out.warn(fmt::format("skipped {} more (--json lists all)", skipped.size() - kShown));
}

// Of a list with splits, keeps the images of test, or of val if no image is in test.
void keep_measured_split(const std::string& labels, data::ImageSet& set, Output& out) {
  for (const data::Part part : {data::Part::test, data::Part::val}) {
    const auto is_other = [&](const data::LabelledImage& image) { return image.part != part; };
    if (std::ranges::all_of(set.images, is_other)) continue;
    const std::size_t all = set.images.size();
    std::erase_if(set.images, is_other);
    out.say(fmt::format("{} has splits: the images of {} are used ({} of {})", labels, name_in(data::kPartNames, part),
                        set.images.size(), all));
    return;
  }
}

}  // namespace

void declare_labelled_options(CLI::App& command, LabelledOptions& options) {
  add_number(command, "--batch", options.batch, 1, 4096, "Process N images at once [8]");
  command
      .add_option("--classes", options.classes,
                  "Read class names from this file: lines 'index<TAB>name', or one name per line. These names have "
                  "priority over the model's")
      ->type_name("FILE");
  command
      .add_option("--labels", options.labels,
                  "Read the labels of the images in DIR from this file: lines 'file,class'. Either every class is an "
                  "index, or every class is a name")
      ->type_name("CSV");
}

std::string folder_of_images(const LabelledOptions& o) {
  if (!o.labels.empty()) return o.folder;
  for (const data::Part part : {data::Part::test, data::Part::val}) {
    for (const auto& [value, name] : data::kPartNames) {
      const std::filesystem::path path = std::filesystem::path(o.folder) / name;
      std::error_code ignored;
      if (value == part && std::filesystem::is_directory(path, ignored) && data::has_class_folders(path))
        return path.string();
    }
  }
  return o.folder;
}

data::ImageSet read_labelled_images(const LabelledOptions& o, const formats::Model& model, Output& out) {
  const data::ClassNames names{.classes = model.arch.classes,
                               .ids = model.class_ids,
                               .labels = model.labels,
                               .owner = "the model",
                               .hint = "give --classes FILE with lines 'index<TAB>name'"};
  data::ExtraNames extra;
  if (!o.classes.empty()) extra = data::read_class_file(o.classes, model.arch.classes);
  const std::string folder = folder_of_images(o);
  if (folder != o.folder) out.say(fmt::format("{} has splits: the images of {} are used", o.folder, folder));
  data::ImageSet set = o.labels.empty() ? data::read_class_folders(folder, names, extra)
                                        : data::read_labelled_folder(o.folder, o.labels, names, extra);
  for (const std::string& text : set.notes) out.warn(text);
  keep_measured_split(o.labels, set, out);
  if (set.images.empty())
    throw input_error("{}: no images (got {} other files, expected {} files)", folder, set.skipped.size(),
                      vision::image_extensions());
  return set;
}

Runner::Runner(model::ModelHandle& handle, const std::string& backend, const std::string& resolution, ThreadPool& pool)
    : rule(preprocessing_at(handle, resolution)),
      classifier(handle, {.executor = backend, .preprocessing = rule}, pool) {}

double run_on_images(data::ImageSet& set, const LabelledOptions& o, std::span<Runner*> runners, ThreadPool& pool,
                     bool warn, Output& out, const OnLogits& each, std::vector<data::ImageContent>* contents) {
  const Rules rules = rules_of(runners);
  const auto batch = static_cast<std::size_t>(o.batch);
  Progress progress(out, "images", static_cast<std::int64_t>(set.images.size()));
  const auto start = Clock::now();
  bool any = false;
  for (std::size_t first = 0; first < set.images.size(); first += batch) {
    check_interrupt();
    const std::span<const data::LabelledImage> images(&set.images[first], std::min(batch, set.images.size() - first));
    std::vector<Loaded> loaded = load(images, rules.different, contents != nullptr, pool);
    std::vector<std::vector<vision::Sampled>> views(rules.different.size());
    std::vector<std::int64_t> truth;
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (!loaded[i].why.empty()) {
        set.skipped.push_back({images[i].path, loaded[i].why});
        continue;
      }
      for (std::size_t r = 0; r < views.size(); ++r) views[r].push_back(std::move(loaded[i].views[r]));
      truth.push_back(images[i].class_index);
      if (contents != nullptr) contents->push_back(std::move(loaded[i].content));
    }
    if (truth.empty()) continue;
    any = true;
    std::vector<std::vector<float>> logits;
    for (std::size_t r = 0; r < runners.size(); ++r) {
      const auto begin = Clock::now();
      logits.push_back(runners[r]->classifier.logits(views[rules.of[r]]));
      runners[r]->seconds += seconds_since(begin);
    }
    for (std::size_t i = 0; i < truth.size(); ++i) {
      std::vector<std::span<const float>> rows;
      for (const std::vector<float>& all : logits) {
        const std::size_t classes = all.size() / truth.size();
        rows.push_back(std::span(all).subspan(i * classes, classes));
      }
      each(truth[i], rows);
    }
    progress.update(static_cast<std::int64_t>(first + images.size()));
  }
  if (!any) throw input_error("{}: no image could be read (first error: {})", o.folder, set.skipped.back().why);
  if (warn) warn_skipped(set.skipped, out);
  return seconds_since(start);
}

Json skipped_json(const std::vector<data::SkippedFile>& skipped) {
  Json files = Json::array();
  for (const data::SkippedFile& file : skipped) files.push_back({{"path", file.path.string()}, {"why", file.why}});
  return files;
}

}  // namespace effnet::cli
