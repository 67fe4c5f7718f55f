// Checks, made before a run, that the system's limits allow the threads and open files that the run needs. Libraries
// that reach such a limit later wait for ever, or end the process without a message.
#pragma once

namespace effnet {

// Starts `count` threads at the same time and ends them. Throws Error(environment) if the system allows fewer.
void check_thread_limit(int count);

// Makes sure that this process can open `count` more files. Raises the soft limit if necessary, at most to the hard
// limit. Throws Error(environment) if that is not enough.
void check_file_limit(int count);

}  // namespace effnet
