// Rank and world size of a process, from the environment variables of its launcher: torchrun, `effnet launch`, Slurm or
// mpirun. A table in rank_info.cc lists the variables of each launcher.
#pragma once

#include <functional>
#include <string>

namespace effnet::train {

struct RankInfo {
  int rank = 0, world = 1, local_rank = 0;
  std::string master_address;  // host name or address of rank 0; empty if world is 1
  int master_port = 0;
  std::string source;        // "torchrun", "slurm", "openmpi", "mpich"; empty if world is 1
  std::string store_prefix;  // not empty: torchrun's agent runs the store, and this run's keys begin with the prefix
};

// Returns the value of a variable: std::getenv, or a function of a test. Null or an empty text: not set.
using Environment = std::function<const char*(const char* name)>;

// Reads RANK, WORLD_SIZE and LOCAL_RANK; if they are not set, the variables of Open MPI, then of MPICH and Intel MPI,
// then of Slurm. If none of these is set, the world size is 1. MASTER_ADDR and MASTER_PORT take precedence over an
// address and a port that are derived from the launcher's variables. Throws Error(usage) that names the variable if
// only one of rank and world size is set, if a value is not a number or is out of range, or if there are several
// processes but no address.
RankInfo rank_info_of(const Environment& environment);

// The first host of a Slurm node list: "node07" of "node[07-12,20]", "a1" of "a1,b[2-3]", "r1n5" of "r[1-2]n[5-6]".
// Throws Error(usage) for another syntax.
std::string first_host(const std::string& node_list);

}  // namespace effnet::train
