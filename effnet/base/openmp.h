// LibTorch's OpenMP threads wait for its next loop by spinning, for milliseconds, on the cores that effnet's own
// threads need meanwhile: with them a training step of B0 on two cores took 375 ms, without 314. The runtime reads its
// policy from OMP_WAIT_POLICY when it is loaded, before main(); what a person has set there stays.
#pragma once

namespace effnet {

// For the program that this one is about to become.
void let_openmp_sleep();
// For this program: where the variable is not set it is started again with it. Returns where it is, or where the
// program cannot be started again, which costs speed only.
void restart_with_sleeping_openmp(char** argv);

}  // namespace effnet
