#include "effnet/graph/arch_file.h"

#include <vector>

#include "effnet/arch/text.h"
#include "effnet/base/error.h"
#include "effnet/graph/blocks.h"

namespace effnet::graph {

arch::ArchSpec read_arch(const TomlTable& table) {
  arch::ArchSpec spec = arch::read_spec(table);
  const std::vector<TomlTable> stages = table.tables("stages");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    try {
      block_kind(spec.stages[i].block);
    } catch (const Error& error) {  // the table has the key, because the default is a known kind
      throw stages[i].error("block", error);
    }
  }
  return spec;
}

arch::ArchSpec parse_arch(std::string_view text, std::string_view source) {
  const TomlTable table = TomlTable::parse(text, source);
  arch::ArchSpec spec = read_arch(table);
  table.finish();
  return spec;
}

}  // namespace effnet::graph
