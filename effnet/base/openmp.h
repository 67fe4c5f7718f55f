// Makes LibTorch's OpenMP threads sleep while they wait. By default they spin for milliseconds and occupy the cores
// that effnet's own threads need: a training step of B0 on two cores took 375 ms with spinning and 314 ms without. The
// OpenMP runtime reads OMP_WAIT_POLICY when it is loaded, before main(). A value that the user has set is kept.
#pragma once

namespace effnet {

// Sets OMP_WAIT_POLICY=passive for the program that this process will start with execv.
void set_openmp_wait_passive();
// For this program: if the variable is not set, restarts the program with it (execv). Returns if the variable is set
// already or if the restart fails; a failure only costs speed.
void restart_with_passive_openmp(char** argv);

}  // namespace effnet
