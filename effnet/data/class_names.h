// Finds the classes that names of folders, or labels in lists, mean.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace effnet::data {

// The classes that a model or a training split has. Entry i of `ids` and of `labels` names class i; either may be
// empty.
struct ClassNames {
  std::int64_t classes = 0;
  std::vector<std::string> ids;  // WordNet ids for ImageNet
  std::vector<std::string> labels;
  std::string owner = "the model";  // what has these classes, for messages
  std::string hint = {};            // for messages: what to do about an unknown name
  bool by_index = true;             // whether a folder's name may be its class index

  std::string name(std::int64_t index) const;  // the id, otherwise the label, otherwise the index as text
};

// Maps names that differ only in letter case, "-", "_" and blanks to the same text: "Great_White-shark" and "great
// white shark".
std::string normalised_label(std::string text);

// Additional names for classes, given by the user. They have priority over those of ClassNames.
using ExtraNames = std::map<std::string, std::int64_t>;
// Reads a class file: lines "index<TAB>name<TAB>name...", or one name per line (line i names class i, from 0). Throws
// Error(input) if an index is out of range or if one name stands for two classes.
ExtraNames read_class_file(const std::filesystem::path& file, std::int64_t classes);

struct ClassAssignment {
  std::vector<std::int64_t> classes;  // the class of each name, in the order of the names
  std::string note;                   // how the names were interpreted, if the user should know; otherwise empty
};

// Finds the class of each folder by the folder's name. The rules are tried in this order:
//   1. For each folder: its name equals a name in `extra`, a class id, or a label that only one class has.
//   2. For all folders together, if rule 1 left a folder without a class: if names.by_index is set and all folder names
//      are integers below names.classes, all folder names are class indices.
//   3. For each folder without a class: the part before the first "_" is a class id ("n01443537_goldfish"), or the name
//      equals a label except for letter case and "-", "_", " ". Exactly one class must match the folder, and no other
//      folder may match that class.
//   4. If neither `names` nor `extra` has any name, and there are as many folders as classes: the folders, in sorted
//      order, are the classes 0, 1, ...
// Throws Error(input) with the folder's name if its class is unknown or ambiguous.
ClassAssignment match_folders(const std::vector<std::filesystem::path>& folders, const ClassNames& names,
                              const ExtraNames& extra);

// Labels in a list, such as the second column of a CSV. Either all are names (rules 1 and 3 above, but several images
// may have the same label), or all are indices. If both are possible and give different classes, that is an error.
enum class LabelKind { unknown, names, indices };
struct LabelList {
  std::vector<std::string> labels;
  LabelKind kind = LabelKind::unknown;            // as the list's header states it
  std::string source;                             // the file or folder of the labels, for messages
  std::string hint;                               // for messages: how to resolve an ambiguity
  std::function<std::string(std::size_t)> where;  // the position of label i, for messages: "labels.csv:12"
  std::string what = "a label";                   // what each of the labels is, for messages
};
ClassAssignment match_labels(const LabelList& list, const ClassNames& names, const ExtraNames& extra);

// Returns the classes of a list for which no classes are given: "0" up to the largest label if all labels are numbers
// and list.kind is not LabelKind::names; otherwise the different labels, sorted. Throws Error(input) if a number is
// above 2^20, if list.kind is LabelKind::indices and a label is not a number, or if a model file cannot store a name.
std::vector<std::string> classes_of_labels(const LabelList& list);

enum class NamesAre { folders, texts };
// Checks names that become the classes of a model, which can store only text. Throws Error(input) for a name that is
// empty, not UTF-8 or has control characters. For the message: `source` is the file or folder of the names, `what` is
// what each of them is ("a class folder's name", "a line"). The hint tells to rename the folder or to correct the text.
void check_class_names(const std::vector<std::string>& names, NamesAre kind, std::string_view source,
                       std::string_view what);

}  // namespace effnet::data
