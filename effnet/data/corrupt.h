// Which images of a set are broken, as the threads of a loader find out. Not for use outside of effnet/data.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/data/loader.h"

namespace effnet::data {

// What the threads know, so that a broken image is read once. Safe from any thread.
class KnownCorrupt {
 public:
  std::optional<std::string> why(std::int64_t index) const;
  void add(std::int64_t index, std::string why);

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::string> why_;
};

// What was met in the batches given out, in their order: a loader's answers do not depend on how far its threads are.
class MetCorrupt {
 public:
  // `limit` is a share of `size` images.
  MetCorrupt(const Dataset& set, double limit) : set_(set), limit_(limit) {}
  // Throws Error(input) that names the first few once more than allowed_corrupt() are.
  void add(const std::map<std::int64_t, std::string>& found);
  std::vector<CorruptImage> list() const;

 private:
  const Dataset& set_;
  double limit_;
  std::map<std::int64_t, std::string> met_;
};

// How many of `size` images may be broken: `limit` of them and, of a small set, three all the same. A limit of 0
// means none.
std::int64_t allowed_corrupt(double limit, std::int64_t size);

// Error(input) with the first few.
Error too_many_corrupt(const Dataset& set, const std::map<std::int64_t, std::string>& broken, double limit);

}  // namespace effnet::data
