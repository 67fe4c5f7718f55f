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

// Of a list of variables the first that is set counts.
using Names = std::vector<const char*>;
struct Launcher {
  const char* name;
  Names rank, world, local_rank, local_world;
  Names address;  // hosts or Slurm's node lists; rank 0 is on the first
  Names job;      // what all processes of one start have in common and others have not: the port is derived from it
  // Slurm sets the number of tasks in the shell of an allocation too (salloc), where no step has started.
  bool world_alone_is_fine = false;
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
      // srun --mpi=pmi2 sets PMI's variables and its own.
      {"mpich",
       {"PMI_RANK"},
       {"PMI_SIZE"},
       {"MPI_LOCALRANKID", "SLURM_LOCALID"},
       {"MPI_LOCALNRANKS"},
       {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"},
       {"SLURM_JOB_ID", "SLURM_STEP_ID", "PBS_JOBID", "LSB_JOBID"}},
      // The node that srun was called on is rank 0's only in a batch job, so the step's nodes go before it.
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
  const char* set_one(const Names& names) const {  // null: none
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

std::string written(const Names& names) {
  std::vector<std::string> words(names.begin(), names.end());
  return one_of(words);
}

// 16384 to 32767: below the ports that Linux gives to outgoing connections, 29500 (c10d's own) where nothing is known.
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

void find_address(RankInfo& place, const Launcher& launcher, const Variables& variables) {
  const bool is_env = launcher.address.empty() && launcher.local_world.empty();
  if (const auto address = variables.text("MASTER_ADDR")) {
    place.master_address = *address;
  } else if (const char* name = variables.set_one(launcher.address)) {
    place.master_address = first_host(*variables.text(name));
  } else if (const char* local = variables.set_one(launcher.local_world);
             local != nullptr && variables.number(local, 1, place.world) == place.world) {
    place.master_address = "127.0.0.1";
  } else {
    throw usage_error("{} processes, but nobody says where rank 0 is (got no MASTER_ADDR, expected its host name{})",
                      place.world, is_env ? " and MASTER_PORT" : "")
        .with_hint("export MASTER_ADDR=HOST to all of them; with Open MPI: mpirun -x MASTER_ADDR=HOST");
  }
  if (variables.text("MASTER_PORT")) {
    place.master_port = variables.number("MASTER_PORT", 1, 65535);
  } else if (!is_env) {
    place.master_port = derived_port(variables, launcher.job);
  } else {
    throw usage_error("{} processes, but no port of rank 0 (got no MASTER_PORT, expected a number from 1 to 65535)",
                      place.world)
        .with_hint("export MASTER_PORT to all of them, any free port of MASTER_ADDR's machine");
  }
}

}  // namespace

std::string first_host(const std::string& node_list) {
  const auto wrong = [&] {
    return usage_error("node list: cannot read it (got {}, expected such as node[01-04],other)", in_quotes(node_list))
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
  // A batch script's own shell looks like task 0 of a step that srun has not started.
  const bool batch_shell = variables.text("ENVIRONMENT") == "BATCH" && !variables.text("SLURM_STEP_ID");
  for (const Launcher& launcher : launchers()) {
    const char* rank = variables.set_one(launcher.rank);
    const char* world = variables.set_one(launcher.world);
    if (std::string_view(launcher.name) == "slurm" && batch_shell) continue;
    if (rank == nullptr && (world == nullptr || launcher.world_alone_is_fine)) continue;
    if (rank == nullptr || world == nullptr)
      throw usage_error("{} is set but {} is not (got half of what {} sets, expected both or none)",
                        rank != nullptr ? rank : world, written(rank != nullptr ? launcher.world : launcher.rank),
                        launcher.name);
    RankInfo place;
    place.source = launcher.name;
    place.world = variables.number(world, 1, 1 << 20);
    place.rank = variables.number(rank, 0, place.world - 1);
    if (const char* local = variables.set_one(launcher.local_rank))
      place.local_rank = variables.number(local, 0, place.world - 1);
    if (place.world == 1) return {};
    find_address(place, launcher, variables);
    if (variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True")
      place.store_prefix = "effnet/attempt_" + variables.text("TORCHELASTIC_RESTART_COUNT").value_or("0");
    return place;
  }
  if (variables.text("LOCAL_RANK"))
    throw usage_error("LOCAL_RANK is set but RANK and WORLD_SIZE are not (got a third of a set, expected all or none)");
  return {};
}

}  // namespace effnet::train
