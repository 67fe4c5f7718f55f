// Runs jobs ahead of time on threads and returns them in order. A job consists of tasks, which any thread may run.
// Several threads work on one job, so that the next job is ready as soon as possible. When all its tasks are taken,
// threads begin the job after it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace effnet::data {

class Job {
 public:
  virtual ~Job() = default;
  virtual std::int64_t tasks() const = 0;    // at least 1
  virtual void make(std::int64_t task) = 0;  // called from any thread, for several tasks at once
  virtual void finish() = 0;                 // called once, after all tasks
};

// A pipeline is used by one thread. Its own threads hold no lock while they run a task.
class Pipeline {
 public:
  // `begin(i)` returns job number i, or null after the last one. It is called in order and never by two threads at
  // once. Without workers, jobs are made in next(). At most `ahead` jobs are begun before next() asks for them. Throws
  // Error(environment) if the system cannot start a thread.
  using Begin = std::function<std::unique_ptr<Job>(std::uint64_t number)>;
  Pipeline(int workers, std::int64_t ahead, Begin begin);
  // Waits for running tasks only.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Drops all begun jobs and continues with job `number`.
  void seek(std::uint64_t number);
  // Returns the next finished job, or null after the last one. Throws what the job's begin, make or finish threw, and
  // throws it again if called again.
  std::unique_ptr<Job> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data
