// The corrupt images of a dataset that a loader has found. Private to effnet/data.
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

// The corrupt images that any thread has found so far. Threads look up an image here, so that each corrupt image is
// read only once. Thread-safe.
class CorruptCache {
 public:
  std::optional<std::string> why(std::int64_t index) const;
  void add(std::int64_t index, std::string why);

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::string> why_;
};

// The corrupt images of the batches that the loader has returned. Batches that were made ahead of time and not yet
// returned do not count, so a loader's results do not depend on the speed of its threads.
class CorruptLog {
 public:
  // `limit` is a fraction of set.size().
  CorruptLog(const Dataset& set, double limit) : set_(set), limit_(limit) {}
  // Adds the corrupt images of one batch (index -> why). Throws Error(input) if the log then has more than
  // allowed_corrupt(); the message lists the first few.
  void add(const std::map<std::int64_t, std::string>& found);
  std::vector<CorruptImage> list() const;

 private:
  const Dataset& set_;
  double limit_;
  std::map<std::int64_t, std::string> images_;  // index -> why
};

// Returns how many of `size` images may be corrupt: the fraction `limit`, but at least three. A limit of 0 allows none.
std::int64_t allowed_corrupt(double limit, std::int64_t size);

// Returns the Error(input) that lists the first few of the `corrupt` images.
Error too_many_corrupt(const Dataset& set, const std::map<std::int64_t, std::string>& corrupt, double limit);

}  // namespace effnet::data
