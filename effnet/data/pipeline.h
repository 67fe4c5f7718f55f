// Work done ahead on threads and handed out in order. A job is made of pieces that any thread may do; several threads
// share one job, so that the next job is ready as soon as possible, and begin the one after when its pieces run out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace effnet::data {

class Job {
 public:
  virtual ~Job() = default;
  virtual std::int64_t pieces() const = 0;    // at least 1
  virtual void make(std::int64_t piece) = 0;  // different pieces at once, from any thread
  virtual void finish() = 0;                  // once, after all pieces
};

// A pipeline is used by one thread. Its own threads hold no lock while they work.
class Pipeline {
 public:
  // `begin(i)` makes job number i, or null after the last; called in order, never by two threads at once. With no
  // workers jobs are made in next(). At most `ahead` jobs are begun before they are asked for. Throws
  // Error(environment) if the system refuses a thread.
  using Begin = std::function<std::unique_ptr<Job>(std::uint64_t number)>;
  Pipeline(int workers, std::int64_t ahead, Begin begin);
  // Waits for the pieces in work, for nothing else.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Drops what was begun and goes on with job `number`.
  void seek(std::uint64_t number);
  // The next finished job, null after the last. Throws what its begin, make or finish threw, and again when called
  // again.
  std::unique_ptr<Job> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data
