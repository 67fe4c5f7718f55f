// Which class a name means: the names of folders, and those in lists of labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::data {

// What a model, or a training split, knows of its classes: entry i of both (either may be empty) names class i.
struct ClassNames {
  std::int64_t classes = 0;
  std::vector<std::string> ids;  // WordNet ids for ImageNet
  std::vector<std::string> labels;
  std::string owner = "the model";  // whose they are, for messages
  std::string hint = {};            // what a person can do about a name that is none of them
  bool by_index = true;             // folders may be called by the class's index

  std::string name(std::int64_t index) const;  // the id, else the label, else the number
};

// More names for classes, given by a person: they go before those of ClassNames.
using ExtraNames = std::map<std::string, std::int64_t>;
// From a file: lines "index<TAB>name<TAB>name..." or one name a line (line i names class i). Throws Error(input) for an
// index out of range or a name of two classes.
ExtraNames read_class_file(const std::filesystem::path& file, std::int64_t classes);

struct Matched {
  std::vector<std::int64_t> classes;  // of each name, in their order
  std::string note;                   // how they were read, where a person should know; else empty
};

// Folders' classes, by their names. In this order:
//   1. a name that is exactly one of `extra`, an id, or the label of one class;
//   2. if not all are that, and all are whole numbers below names.classes: these are the classes (names.by_index);
//   3. "n01443537_goldfish" by the id before the first "_"; a label but for case and "-", "_", " ". Only where a single
//      class and a single folder fit;
//   4. where neither `names` nor `extra` has any name: sorted order, if there are as many folders as classes.
// Throws Error(input) that names the folder whose class stays unknown or is not the only one.
Matched match_folders(const std::vector<std::filesystem::path>& folders, const ClassNames& names,
                      const ExtraNames& extra);

// Labels in a list, such as the second column of a CSV: all are names (as above, 1 and 3; many images may have one
// label), or all are indices. Where both fit and say different things, it is an error.
enum class Reading { unknown, names, indices };
struct LabelList {
  std::vector<std::string> labels;
  Reading reading = Reading::unknown;             // what a header says
  std::string source;                             // where the labels stand
  std::string hint;                               // what makes them clear
  std::function<std::string(std::size_t)> where;  // where label i stands: "labels.csv:12"
};
Matched match_labels(const LabelList& list, const ClassNames& names, const ExtraNames& extra);

// Names that are to become the classes of a model: it can hold only text. Throws Error(input) for one that is empty,
// not UTF-8 or has control characters. `what` says what they are: "a class folder", "a line".
void check_class_names(const std::vector<std::string>& names, std::string_view place, std::string_view what);

}  // namespace effnet::data
