#include "effnet/search/space/network_parts.h"

#include <fmt/format.h>

#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/search/space/stage_form.h"

namespace effnet::search {
namespace {

std::string block_text(const arch::StageSpec& spec, std::int64_t in_channels) {
  const StageForm form = form_of(spec, in_channels);
  return fmt::format("{} in{} out{} k{} s{} e{} se{}{}", form.block->name, in_channels, form.channels, form.kernel,
                     form.stride, form.expand, form.squeezed_first, form.adds_first ? " add" : "");
}

}  // namespace

std::string stem_part(const arch::ArchSpec& spec) {
  const arch::StemSpec& stem = spec.stem;
  return fmt::format("stem px{} k{} s{} c{} {} {} {}, blocks {} {}", spec.resolution, stem.kernel, stem.stride,
                     stem.channels, name(stem.activation), name(stem.padding), name(stem.pool), name(spec.activation),
                     name(spec.padding));
}

std::string first_block_part(std::size_t stage, const arch::StageSpec& spec, std::int64_t in_channels) {
  return fmt::format("stage {} first {}", stage + 1, block_text(spec, in_channels));
}

std::string next_block_part(std::size_t stage, const arch::StageSpec& spec) {
  arch::StageSpec alone = spec;  // the block is like the first one of a stage that changes no shape
  alone.stride = 1;
  return fmt::format("stage {} next {}", stage + 1, block_text(alone, spec.channels));
}

std::string head_part(const arch::ArchSpec& spec, std::int64_t in_channels) {
  return fmt::format("head in{} c{} {} classes{}", in_channels, spec.head.channels, name(spec.head.activation),
                     spec.classes);
}

std::vector<std::string> parts_of(const arch::ArchSpec& spec) {
  std::vector<std::string> parts{stem_part(spec)};
  std::int64_t channels = spec.stem.channels;
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    const arch::StageSpec& stage = spec.stages[i];
    if (find_exchangeable_block(stage.block) == nullptr) {
      throw input_error("{}: stage {}: no prediction for blocks of this kind (got {}, expected {})",
                        one_line(spec.name), i + 1, in_quotes(stage.block), one_of(names_of(exchangeable_blocks())));
    }
    parts.push_back(first_block_part(i, stage, channels));
    if (stage.repeats > 1)
      parts.insert(parts.end(), static_cast<std::size_t>(stage.repeats - 1), next_block_part(i, stage));
    channels = stage.channels;
  }
  parts.push_back(head_part(spec, channels));
  return parts;
}

}  // namespace effnet::search
