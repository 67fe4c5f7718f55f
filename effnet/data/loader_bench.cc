// Measures how many training images per second the loader makes, and the time of each step:
//   loader_bench DIR [WORKERS] [IMAGES]     DIR: class folders of photos, or a folder with train/
// Images are resized to 224 px, with AutoAugment. Prints the images per second for 1 ... WORKERS threads, and the
// milliseconds per image of each step on one thread.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/data/loader.h"
#include "effnet/data/sources.h"
#include "effnet/vision/decode.h"

namespace effnet::data {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

vision::TrainingView view_with(vision::Augment augment) {
  vision::TrainingView view;
  view.augment = augment;
  return view;
}

void one_thread(const Dataset& set, std::int64_t images) {
  std::vector<std::vector<std::byte>> files;
  double bytes = 0, pixels = 0;
  const double read = seconds_of([&] {
    for (std::int64_t i = 0; i < images; ++i)
      files.push_back(std::get<std::vector<std::byte>>(set.read(i % set.size())));
  });
  const double decode = seconds_of([&] {
    for (const std::vector<std::byte>& file : files) {
      const vision::Image image = vision::decode(file);
      pixels += static_cast<double>(image.h * image.w);
      bytes += static_cast<double>(file.size());
    }
  });
  const auto n = static_cast<double>(images);
  const auto line = [&](const char* what, double seconds) {
    std::printf("  %-52s %7.2f ms\n", what, 1e3 * seconds / n);
  };
  std::printf("one thread, %.0f images of %.0f pixels and %.0f KB on average\n", n, pixels / n, bytes / n / 1000);
  line("read the file (from the page cache)", read);
  line("decode the whole image, for comparison", decode);
  std::vector<float> out(3 * 224 * 224);
  const vision::Augment steps[]{vision::Augment::inception, vision::Augment::autoaugment, vision::Augment::randaugment};
  const char* const names[]{"decode only a random crop, resize, flip, normalise", "the same with AutoAugment",
                            "the same with RandAugment"};
  for (std::size_t s = 0; s < 3; ++s) {
    const vision::TrainingView view = view_with(steps[s]);
    line(names[s], seconds_of([&] {
           for (std::size_t i = 0; i < files.size(); ++i) vision::make_training_input(files[i], view, {0, 0, i}, out);
         }));
  }
}

void loader(const std::shared_ptr<const Dataset>& set, int workers, std::int64_t images) {
  LoaderOptions options;
  options.workers = workers;
  options.batch = std::min<std::int64_t>(32, set->size());
  options.ahead = 4;
  TrainingLoader loader(set, view_with(vision::Augment::autoaugment), options);
  loader.next();  // starts the threads
  std::int64_t made = 0;
  const double seconds = seconds_of([&] {
    while (made < images) made += loader.next().n();
  });
  std::printf("loader, %d threads: %.0f images/s\n", workers, static_cast<double>(made) / seconds);
}

int run(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: loader_bench DIR [WORKERS] [IMAGES]\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto number = [&](int i, std::int64_t default_value) {
    return argc > i ? class_number(argv[i]).value_or(default_value) : default_value;
  };
  const std::int64_t workers = number(2, 2), images = std::max<std::int64_t>(number(3, 400), 1);
  const std::shared_ptr<const Dataset> set =
      has_split(folder, "train") ? open_dataset(folder, "train") : open_class_folders(folder, folder, {});
  one_thread(*set, images);
  for (std::int64_t i = 1; i <= workers; ++i) loader(set, static_cast<int>(i), images);
  return 0;
}

}  // namespace
}  // namespace effnet::data

int main(int argc, char** argv) {
  try {
    return effnet::data::run(argc, argv);
  } catch (const effnet::Error& error) {
    std::fprintf(stderr, "loader_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
