// Where a process stands among those that train together, told by whoever started it: torchrun, `effnet launch`, Slurm
// or mpirun. One table (place.cc) says which variables each of them sets.
#pragma once

#include <functional>
#include <string>

namespace effnet::train {

struct RankInfo {
  int rank = 0, world = 1, local_rank = 0;
  std::string master_address;  // of rank 0; empty for one process
  int master_port = 0;
  std::string source;        // "torchrun", "slurm", "openmpi", "mpich"; empty for one process
  std::string store_prefix;  // not empty: torchrun's agent holds the store already, and this start's keys begin so
};

using Environment = std::function<const char*(const char* name)>;  // std::getenv, or a test's; an empty value is none

// RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT go first, then Open MPI's, MPICH's and Intel MPI's, Slurm's
// variables; MASTER_ADDR and MASTER_PORT go before what is derived from those. World 1 if there are none.
// Throws Error(usage) that names the variables for half a set, a number that is none or out of range, and a group of
// several without an address.
RankInfo rank_info_of(const Environment& environment);

// "node07" of Slurm's "node[07-12,20]", "a1" of "a1,b[2-3]", "r1n5" of "r[1-2]n[5-6]". Throws Error(usage).
std::string first_host(const std::string& node_list);

}  // namespace effnet::train
