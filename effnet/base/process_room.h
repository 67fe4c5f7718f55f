// Whether the system gives this process the threads and files that it is about to need: libraries that find none left
// wait for ever, or end the process without a word.
#pragma once

namespace effnet {

// Starts so many threads at once and ends them. Throws Error(environment) if it gives fewer.
void check_threads(int count);

// Raises the soft limit on open files as far as the hard one where so many more would not fit. Throws
// Error(environment) if they still do not.
void check_files(int count);

}  // namespace effnet
