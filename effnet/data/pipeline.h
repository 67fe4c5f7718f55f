// Runs jobs ahead of time on threads and returns them in order. A job consists of tasks, which any thread may run.
// Several threads work on one job, so that the next job is ready as soon as possible. Once all tasks of a job are
// taken, free threads begin the next job.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace effnet::data {

class Job {
 public:
  virtual ~Job() = default;
  virtual std::int64_t tasks() const = 0;    // at least 1
  virtual void make(std::int64_t task) = 0;  // from any thread; different tasks run at the same time
  virtual void finish() = 0;                 // called once, after all tasks
};

// Only one thread may call a pipeline. The pipeline's own threads hold no lock while they run a task.
class Pipeline {
 public:
  // `begin(i)` returns job number i, or null after the last one. The pipeline calls it in order and never from two
  // threads at once. If `workers` is 0, next() runs the jobs itself. At most `ahead` jobs are begun that next() has not
  // yet returned. The constructor throws Error(environment) if the system cannot start a thread.
  using Begin = std::function<std::unique_ptr<Job>(std::uint64_t number)>;
  Pipeline(int workers, std::int64_t ahead, Begin begin);
  // Waits only for the tasks that are running. Tasks that no thread has taken are dropped.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Drops all begun jobs and continues with job `number`.
  void seek(std::uint64_t number);
  // Returns the next finished job, or null after the last one. If begin(), make() or finish() of this job threw an
  // exception, throws it; further calls throw it again until seek() is called.
  std::unique_ptr<Job> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::data
