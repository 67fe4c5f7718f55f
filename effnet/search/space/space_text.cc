// The file of a space: reading and writing. space.h describes the keys.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "effnet/arch/family.h"
#include "effnet/arch/ranges.h"
#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"
#include "effnet/graph/arch_file.h"
#include "effnet/search/space/fields.h"
#include "effnet/search/space/space.h"
#include "effnet/search/space/stage_form.h"

namespace effnet::search {
namespace {

using Options = std::vector<std::string>;

// The lists of options of one table, by the rows of fields(); empty optional: the table does not have the key.
struct OptionLists {
  TomlTable table;
  std::vector<std::optional<Options>> lists;
};

OptionLists read_lists(const TomlTable& table) {
  OptionLists result{table, {}};
  result.lists.reserve(fields().size());
  for (const Field& field : fields()) {
    std::optional<Options> options;
    if (table.has(field.name)) options = read_options(field, table);
    result.lists.push_back(std::move(options));
  }
  return result;
}

// Throws for a base whose blocks cannot be exchanged, or in which a kernel changes the size of feature maps. With any
// other base, all options of one choice can be combined with all options of the others.
void check_base(const arch::ArchSpec& base) {
  for (std::size_t s = 0; s < base.stages.size(); ++s) {
    const arch::StageSpec& stage = base.stages[s];
    try {
      exchangeable_block(stage.block);
      if (stage.kernel % 2 == 0) throw input_error("even kernel (got {}, expected an odd one)", stage.kernel);
    } catch (const Error& error) {
      throw error.in(fmt::format("stage {} of {}", s + 1, in_quotes(base.name)));
    }
  }
  if (base.padding == arch::Padding::valid)
    throw input_error("padding of {}: out of range (got valid, expected same or symmetric)", in_quotes(base.name));
}

arch::ArchSpec read_base(const TomlTable& table, std::string_view source) {
  if (table.has("base_arch")) {
    if (table.has("base")) throw table.error("base_arch", "given twice (got base_arch and base, expected one of them)");
    return graph::parse_arch(table.text("base_arch"), fmt::format("{}: base_arch", source));
  }
  if (table.is_table("base")) {
    const TomlTable keys = table.table("base");
    arch::ArchSpec spec = graph::read_arch(keys);
    keys.finish();
    return spec;
  }
  const std::string name = table.text("base");
  const arch::Variant* const variant = arch::find_variant(name);
  if (variant == nullptr) {
    const Error error = table.error(
        "base", fmt::format("unknown network (got {}, expected a name from 'effnet models')", in_quotes(name)));
    if (name.ends_with(".toml")) {
      throw error.with_hint(
          "a space does not read arch files: write a table [base] with the keys of the file, or base_arch = its text");
    }
    throw error.with_hint(nearest_hint(name, names_of(arch::family()), "effnet models lists the names"));
  }
  return variant->spec;
}

// Reads the keys that change the base.
void change_base(const TomlTable& table, arch::ArchSpec& base) {
  base.resolution = table.integer("resolution", base.resolution, arch::kResolution.low, arch::kResolution.high);
  base.classes = table.integer("classes", base.classes, arch::kClasses.low, arch::kClasses.high);
  const TomlTable stem = table.table("stem");
  base.stem.channels = stem.integer("channels", base.stem.channels, arch::kChannels.low, arch::kChannels.high);
  base.stem.stride = stem.integer("stride", base.stem.stride, arch::kStride.low, arch::kStride.high);
  stem.finish();
  if (!table.has("strides")) return;
  const std::vector<std::int64_t> strides = table.integers("strides", arch::kStride.low, arch::kStride.high);
  if (strides.size() != base.stages.size()) {
    throw table.error("strides", fmt::format("wrong number of values (got {}, expected {}: one per stage)",
                                             strides.size(), base.stages.size()));
  }
  for (std::size_t s = 0; s < strides.size(); ++s) base.stages[s].stride = strides[s];
}

// The tables [[stages]], by the index of their stage.
std::map<std::size_t, OptionLists> read_stages(const TomlTable& table, std::size_t count) {
  std::map<std::size_t, OptionLists> result;
  for (const TomlTable& stage : table.tables("stages")) {
    const std::int64_t number = stage.integer("stage", {}, 1, static_cast<std::int64_t>(count));
    if (!result.emplace(static_cast<std::size_t>(number) - 1, read_lists(stage)).second)
      throw stage.error("stage", fmt::format("given twice (got {} again, expected different stages)", number));
    stage.finish();
  }
  return result;
}

// Adds the choices of stage `s`. `all`: the lists of [choices]. `own`: the lists of the stage itself; may be null.
void add_choices(Space& space, std::size_t s, const OptionLists& all, const OptionLists* own) {
  const arch::StageSpec base = space.base.stages[s];
  std::vector<std::string_view> given;
  given.reserve(fields().size());
  for (std::size_t f = 0; f < fields().size(); ++f) {
    const Field& field = fields()[f];
    const OptionLists& source = own != nullptr && own->lists[f] ? *own : all;
    const Options options = source.lists[f].value_or(Options());
    if (options.empty()) continue;
    for (const std::string& option : options) {
      try {
        arch::StageSpec changed = base;
        field.apply(changed, base, option);
        arch::visit_stage(changed, arch::range_checker(""));
      } catch (const Error& error) {
        throw source.table.error(field.name, fmt::format("option {} in stage {}: {}", option, s + 1, error.what()));
      }
    }
    for (const std::string_view other : given) {
      if (field.excludes != other && field_named(other).excludes != field.name) continue;
      throw source.table
          .error(field.name, fmt::format("stage {} has two lists for one number (got {} and {}, expected one of them)",
                                         s + 1, other, field.name))
          .with_hint(fmt::format("write {} = [] in the table [[stages]] of this stage", other));
    }
    given.push_back(field.name);
    if (options.size() == 1) {
      field.apply(space.base.stages[s], base, options.front());
    } else {
      space.choices.push_back({s, std::string(field.name), options});
    }
  }
}

// The text as a string of several lines. arch::print() never has three quotes in a row, because a quote inside a value
// has a backslash before it.
std::string multi_line(std::string_view text) {
  std::string result = "\"\"\"\n";
  for (const char c : text) result += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return result + "\"\"\"";
}

}  // namespace

Space parse_space(std::string_view text, std::string_view source) {
  const TomlTable table = TomlTable::parse(text, source);
  Space space{.name = table.name("name"), .base = read_base(table, source), .choices = {}};
  try {
    check_base(space.base);
  } catch (const Error& error) {
    throw table.error(table.has("base") ? "base" : "base_arch", error);
  }
  change_base(table, space.base);

  const TomlTable choices = table.table("choices");
  const OptionLists all = read_lists(choices);
  choices.finish();
  const std::map<std::size_t, OptionLists> stages = read_stages(table, space.base.stages.size());
  table.finish();
  for (std::size_t s = 0; s < space.base.stages.size(); ++s) {
    const auto own = stages.find(s);
    add_choices(space, s, all, own == stages.end() ? nullptr : &own->second);
  }
  if (space.choices.empty()) {
    throw input_error(
        "{}: the space has one point only (got no list with several options, expected one in [choices] "
        "or [[stages]])",
        source);
  }
  return space;
}

std::string print(const Space& space) {
  std::string text = fmt::format("name = {}\n", toml_value(std::string_view(space.name)));
  text += fmt::format("base_arch = {}\n", multi_line(arch::print(space.base)));
  for (std::size_t i = 0; i < space.choices.size(); ++i) {
    const Choice& choice = space.choices[i];
    if (i == 0 || space.choices[i - 1].stage != choice.stage)
      text += fmt::format("\n[[stages]]\nstage = {}\n", choice.stage + 1);
    text += fmt::format("{} = [", choice.field);
    const bool quoted = field_named(choice.field).type == OptionType::word;
    std::string_view separator;
    for (const std::string& option : choice.options) {
      text += separator;
      text += quoted ? toml_value(std::string_view(option)) : option;
      separator = ", ";
    }
    text += "]\n";
  }
  return text;
}

bool same_networks(Space a, const Space& b) {
  a.base.classes = b.base.classes;
  return print(a) == print(b);
}

}  // namespace effnet::search
