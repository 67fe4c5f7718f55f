#include "effnet/train/distributed/rank_info.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"

namespace effnet::train {
namespace {

// Alternative variables: the first one that is set is used.
using Names = std::vector<const char*>;
struct Launcher {
  const char* name;
  Names rank, world, local_rank, local_world;
  Names address;  // host names or Slurm's node lists; rank 0 runs on the first host
  Names job;      // variables that identify the run: the same in all its processes. The port is derived from them
  // Slurm also sets the world size (the number of tasks) in the shell that salloc opens, which is not a task.
  bool world_may_be_set_alone = false;
};

const std::vector<Launcher>& launchers() {
  static const std::vector<Launcher> table{
      {"torchrun", {"RANK"}, {"WORLD_SIZE"}, {"LOCAL_RANK"}, {}, {}, {}},
      {"openmpi",
       {"OMPI_COMM_WORLD_RANK"},
       {"OMPI_COMM_WORLD_SIZE"},
       {"OMPI_COMM_WORLD_LOCAL_RANK"},
       {"OMPI_COMM_WORLD_LOCAL_SIZE"},
       {},
       {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}},
      // srun --mpi=pmi2 sets PMI's variables in addition to Slurm's.
      {"mpich",
       {"PMI_RANK"},
       {"PMI_SIZE"},
       {"MPI_LOCALRANKID", "SLURM_LOCALID"},
       {"MPI_LOCALNRANKS"},
       {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"},
       {"SLURM_JOB_ID", "SLURM_STEP_ID", "PBS_JOBID", "LSB_JOBID"}},
      // The node on which srun was called (SLURM_LAUNCH_NODE_IPADDR) has rank 0 only in a batch job. The nodes of the
      // step therefore take precedence.
      {"slurm",
       {"SLURM_PROCID"},
       {"SLURM_NTASKS", "SLURM_NPROCS"},
       {"SLURM_LOCALID"},
       {},
       {"SLURM_STEP_NODELIST", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_JOB_NODELIST"},
       {"SLURM_JOB_ID", "SLURM_STEP_ID"},
       true},
  };
  return table;
}

class Variables {
 public:
  explicit Variables(const Environment& environment) : environment_(environment) {}

  std::optional<std::string> text(const char* name) const {
    const char* value = environment_(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  }
  const char* first_set(const Names& names) const {  // null if no name is set
    for (const char* name : names)
      if (text(name)) return name;
    return nullptr;
  }
  int number(const char* name, int low, int high) const {
    const std::string value = text(name).value_or("");
    int result = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (code != std::errc{} || end != value.data() + value.size() || result < low || result > high)
      throw usage_error("{}: wrong value (got {}, expected a whole number from {} to {})", name, in_quotes(value), low,
                        high);
    return result;
  }

 private:
  const Environment& environment_;
};

std::string names_text(const Names& names) {
  std::vector<std::string> words(names.begin(), names.end());
  return one_of(words);
}

// A port from 16384 to 32767, which is below the ports that Linux uses for outgoing connections. If no variable of
// `job` is set: 29500, the default of c10d.
int derived_port(const Variables& variables, const Names& job) {
  std::uint32_t hash = 2166136261U;  // FNV-1a, 32 bits
  bool known = false;
  for (const char* name : job) {
    const auto value = variables.text(name);
    if (!value) continue;
    known = true;
    for (const char letter : *value + "/") hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  }
  return known ? 16384 + static_cast<int>(hash % 16384) : 29500;
}

void find_address(RankInfo& info, const Launcher& launcher, const Variables& variables) {
  const bool is_torchrun = launcher.address.empty() && launcher.local_world.empty();
  if (const auto address = variables.text("MASTER_ADDR")) {
    info.master_address = *address;
  } else if (const char* name = variables.first_set(launcher.address)) {
    info.master_address = first_host(*variables.text(name));
  } else if (const char* local = variables.first_set(launcher.local_world);
             local != nullptr && variables.number(local, 1, info.world) == info.world) {
    info.master_address = "127.0.0.1";
  } else {
    throw usage_error(
        "the address of rank 0 is unknown (got {} processes but no MASTER_ADDR, expected the host name of rank 0{})",
        info.world, is_torchrun ? ", and MASTER_PORT" : "")
        .with_hint("export MASTER_ADDR=HOST in all processes; with Open MPI: mpirun -x MASTER_ADDR=HOST");
  }
  if (variables.text("MASTER_PORT")) {
    info.master_port = variables.number("MASTER_PORT", 1, 65535);
  } else if (!is_torchrun) {
    info.master_port = derived_port(variables, launcher.job);
  } else {
    throw usage_error(
        "the port of rank 0 is unknown (got {} processes but no MASTER_PORT, expected a number from 1 to 65535)",
        info.world)
        .with_hint("export MASTER_PORT in all processes: any free port of rank 0's machine");
  }
}

}  // namespace

std::string first_host(const std::string& node_list) {
  const auto wrong = [&] {
    return usage_error("node list: wrong syntax (got {}, expected a list such as node[01-04],other)",
                       in_quotes(node_list))
        .with_hint("export MASTER_ADDR=HOST and MASTER_PORT instead");
  };
  std::string host;
  for (std::size_t i = 0; i < node_list.size() && node_list[i] != ',';) {
    if (node_list[i] != '[') {
      host += node_list[i++];
      continue;
    }
    const std::size_t close = node_list.find(']', i);
    const std::size_t end = node_list.find_first_of("-,]", i + 1);
    if (close == std::string::npos || end == i + 1) throw wrong();
    host += node_list.substr(i + 1, end - i - 1);
    i = close + 1;
  }
  if (host.empty() || host.find(']') != std::string::npos) throw wrong();
  return host;
}

RankInfo rank_info_of(const Environment& environment) {
  const Variables variables(environment);
  // The shell of a batch script has SLURM_PROCID=0, but it is not a task: srun did not start it.
  const bool batch_shell = variables.text("ENVIRONMENT") == "BATCH" && !variables.text("SLURM_STEP_ID");
  for (const Launcher& launcher : launchers()) {
    const char* rank = variables.first_set(launcher.rank);
    const char* world = variables.first_set(launcher.world);
    if (std::string_view(launcher.name) == "slurm" && batch_shell) continue;
    if (rank == nullptr && (world == nullptr || launcher.world_may_be_set_alone)) continue;
    if (rank == nullptr || world == nullptr)
      throw usage_error("{} is set but {} is not (got only one of these two variables of {}, expected both or none)",
                        rank != nullptr ? rank : world, names_text(rank != nullptr ? launcher.world : launcher.rank),
                        launcher.name);
    RankInfo info;
    info.source = launcher.name;
    info.world = variables.number(world, 1, 1 << 20);
    info.rank = variables.number(rank, 0, info.world - 1);
    if (const char* local = variables.first_set(launcher.local_rank))
      info.local_rank = variables.number(local, 0, info.world - 1);
    if (info.world == 1) return {};
    find_address(info, launcher, variables);
    if (variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True")
      info.store_prefix = "effnet/attempt_" + variables.text("TORCHELASTIC_RESTART_COUNT").value_or("0");
    return info;
  }
  if (variables.text("LOCAL_RANK"))
    throw usage_error(
        "LOCAL_RANK is set but RANK and WORLD_SIZE are not (got only one of these three variables, expected all or "
        "none)");
  return {};
}

}  // namespace effnet::train
