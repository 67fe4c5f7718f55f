#include <algorithm>

#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/data.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/program.h"

namespace effnet::cli {

void declare_options(CLI::App& command, DataSplitOptions& options) {
  command.add_option("DIR", options.folder, "A folder with class folders, or with --labels a folder of images")
      ->required();
  command.add_option("-o,--out", options.out, "Write the folders to this path, which must be new or an empty folder")
      ->required()
      ->type_name("OUT");
  command.add_option("--val", options.split.val, "The fraction of the images of each class for validation")
      ->type_name("F");
  command.add_option("--test", options.split.test, "The fraction of the images of each class for the test")
      ->type_name("F");
  add_seed(command, options.split.seed, "Another number gives another split");
  command.add_option("--labels", options.labels, kLabelsHelp)->type_name("CSV");
}

DataSplitResult run_data_split(const DataSplitOptions& options, const Globals& globals, Output& out) {
  data::check_split_options(options.split);
  check_no_stdout("-o", options.out);
  const data::Source source(options.folder, options.labels);
  data::AllImages images = data::open_all(source);
  data::check_split_folder(source, images, options.out);

  ThreadPool pool(thread_count(globals));
  std::vector<data::ImageContent> contents;
  {
    Progress progress(out, "read", images.set->size());
    contents = data::read_contents(*images.set, pool, [&](std::int64_t done, std::int64_t) { progress.update(done); });
  }
  data::check_readable(*images.set, contents);
  data::Split split = data::split_by_content(*images.set, contents, data::near_duplicates(contents), options.split);

  DataSplitResult result;
  result.path = options.out;
  Progress progress(out, "write", images.set->size());
  result.written = data::write_split_folder(source, images, contents, split.parts, options.out,
                                            [&](std::int64_t done, std::int64_t) { progress.update(done); });
  for (const data::Part part : data::kParts)
    result.images.push_back(std::count(split.parts.begin(), split.parts.end(), part));
  result.images[0] -= static_cast<std::int64_t>(result.written.left_out.size());  // corrupt images are in train
  images.origin.assign(split.parts.begin(), split.parts.end());
  result.check = {options.folder, data::report_data(images, contents)};
  result.notes = std::move(split.notes);
  if (std::string note = data::uneven_note(*images.set, split.parts); !note.empty())
    result.notes.push_back(std::move(note));
  if (split.mixed > 0) {
    result.notes.push_back(fmt::format(
        "{} of near-duplicates with different labels: put into train, because at least one label of each is "
        "wrong",
        count_of(split.mixed, "group")));
  }
  return result;
}

Json to_json(const DataSplitResult& result) {
  Json document = to_json(result.check);
  Json splits = Json::object();
  for (const data::Part part : data::kParts)
    splits[std::string(name_in(data::kPartNames, part))] = result.images[static_cast<std::size_t>(part)];
  document["splits"] = std::move(splits);
  for (const std::string& note : result.notes) document["notes"].push_back(note);
  document["linked"] = result.written.linked;
  document["copied"] = result.written.copied;
  document["path"] = result.path;
  return document;
}

std::string to_text(const DataSplitResult& result) {
  std::string text = to_text(result.check);
  for (const std::string& note : result.notes) text += fmt::format("note: {}\n", note);
  if (!result.written.left_out.empty())
    text += fmt::format("note: left out: {}\n", count_of(std::ssize(result.written.left_out), "corrupt image"));
  const auto [linked, copied, left_out] = result.written;
  text += fmt::format("written to {}: train {}, val {}, test {}\n", result.path, grouped(result.images[0]),
                      grouped(result.images[1]), grouped(result.images[2]));
  if (copied == 0) {
    text += "all images are hard links: they take no space, and the originals and they are the same files\n";
  } else {
    text +=
        fmt::format("{} images are copies, because the file system allows no hard links to them; {} are hard links\n",
                    grouped(copied), grouped(linked));
  }
  return text;
}

}  // namespace effnet::cli
