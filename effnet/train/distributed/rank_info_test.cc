#include "effnet/train/distributed/rank_info.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

using Variables = std::map<std::string, std::string>;

RankInfo from(const Variables& variables) {
  return rank_info_of([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

struct Case {
  Variables variables;
  int rank, world, local_rank;
  std::string address;
  int port;  // 0: any derived port
  std::string source;
};

TEST(RankInfo, ReadsTheVariablesOfEveryLauncher) {
  const std::vector<Case> cases{
      {{}, 0, 1, 0, "", 0, ""},
      {{{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "h0"}, {"MASTER_PORT", "1234"}},
       3,
       4,
       1,
       "h0",
       1234,
       "torchrun"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "1"}}, 0, 1, 0, "", 0, ""},
      {{{"RANK", ""}, {"WORLD_SIZE", ""}}, 0, 1, 0, "", 0, ""},
      // With one process per machine some launchers do not set LOCAL_RANK.
      {{{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "::1"}, {"MASTER_PORT", "29500"}},
       1,
       2,
       0,
       "::1",
       29500,
       "torchrun"},
      {{{"SLURM_PROCID", "5"},
        {"SLURM_NTASKS", "8"},
        {"SLURM_LOCALID", "1"},
        {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.7"},
        {"SLURM_JOB_NODELIST", "n[3-4]"}},
       5,
       8,
       1,
       "10.0.0.7",
       29500,
       "slurm"},
      {{{"SLURM_PROCID", "1"},
        {"SLURM_NPROCS", "2"},
        {"SLURM_LOCALID", "0"},
        {"SLURM_JOB_NODELIST", "n[03-04],z"},
        {"SLURM_JOB_ID", "77"}},
       1,
       2,
       0,
       "n03",
       0,
       "slurm"},
      // salloc on another machine: rank 0 runs on the first node of the step.
      {{{"SLURM_PROCID", "1"},
        {"SLURM_NTASKS", "2"},
        {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.7"},
        {"SLURM_STEP_NODELIST", "gpu9"},
        {"MASTER_PORT", "5"}},
       1,
       2,
       0,
       "gpu9",
       5,
       "slurm"},
      {{{"OMPI_COMM_WORLD_RANK", "2"},
        {"OMPI_COMM_WORLD_SIZE", "4"},
        {"OMPI_COMM_WORLD_LOCAL_RANK", "2"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
        {"PMIX_NAMESPACE", "12"}},
       2,
       4,
       2,
       "127.0.0.1",
       0,
       "openmpi"},
      {{{"OMPI_COMM_WORLD_RANK", "2"},
        {"OMPI_COMM_WORLD_SIZE", "4"},
        {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
        {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
        {"MASTER_ADDR", "a"}},
       2,
       4,
       0,
       "a",
       29500,
       "openmpi"},
      {{{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}},
       1,
       2,
       1,
       "127.0.0.1",
       29500,
       "mpich"},
      // srun --mpi=pmi2 sets the variables of PMI and of Slurm.
      {{{"PMI_RANK", "3"},
        {"PMI_SIZE", "4"},
        {"SLURM_PROCID", "3"},
        {"SLURM_NTASKS", "4"},
        {"SLURM_LOCALID", "1"},
        {"SLURM_STEP_NODELIST", "c[1-2]"},
        {"SLURM_JOB_ID", "9"}},
       3,
       4,
       1,
       "c1",
       0,
       "mpich"},
      // torchrun's variables take precedence over Slurm's.
      {{{"RANK", "0"},
        {"WORLD_SIZE", "2"},
        {"LOCAL_RANK", "0"},
        {"MASTER_ADDR", "x"},
        {"MASTER_PORT", "1"},
        {"SLURM_PROCID", "7"},
        {"SLURM_NTASKS", "8"}},
       0,
       2,
       0,
       "x",
       1,
       "torchrun"},
      // The shell of salloc and the shell of a batch script are not tasks of srun, so the world size is 1.
      {{{"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "4"}}, 0, 1, 0, "", 0, ""},
      {{{"ENVIRONMENT", "BATCH"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "0"}},
       0,
       1,
       0,
       "",
       0,
       ""},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Case& expected = cases[i];
    const RankInfo info = from(expected.variables);
    EXPECT_EQ(info.rank, expected.rank);
    EXPECT_EQ(info.world, expected.world);
    EXPECT_EQ(info.local_rank, expected.local_rank);
    EXPECT_EQ(info.master_address, expected.address);
    EXPECT_EQ(info.source, expected.source);
    if (expected.port != 0 || info.world == 1) {
      EXPECT_EQ(info.master_port, expected.port);
    } else {
      EXPECT_GE(info.master_port, 16384);
      EXPECT_LE(info.master_port, 32767);
    }
  }
}

TEST(RankInfo, DerivedPortDiffersBetweenJobsAndSteps) {
  const auto port = [](const std::string& job, const std::string& step, const std::string& rank) {
    return from({{"SLURM_PROCID", rank},
                 {"SLURM_NTASKS", "2"},
                 {"SLURM_JOB_NODELIST", "n1"},
                 {"SLURM_JOB_ID", job},
                 {"SLURM_STEP_ID", step}})
        .master_port;
  };
  EXPECT_EQ(port("100", "0", "0"), port("100", "0", "1"));
  EXPECT_NE(port("100", "0", "0"), port("100", "1", "0"));
  EXPECT_NE(port("100", "0", "0"), port("101", "0", "0"));
  EXPECT_NE(port("10", "11", "0"), port("101", "1", "0"));
}

TEST(RankInfo, UsesAPrefixInTheStoreOfTorchrunsAgent) {
  Variables variables{{"RANK", "0"},
                      {"WORLD_SIZE", "2"},
                      {"MASTER_ADDR", "h"},
                      {"MASTER_PORT", "9"},
                      {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                      {"TORCHELASTIC_RESTART_COUNT", "2"}};
  EXPECT_EQ(from(variables).store_prefix, "effnet/attempt_2");
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "False";
  EXPECT_EQ(from(variables).store_prefix, "");
}

TEST(RankInfo, ErrorsNameTheMissingOrWrongVariable) {
  const Variables good{
      {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "h"}, {"MASTER_PORT", "99"}};
  const auto changed = [&](const std::string& name, const std::string& value) {
    Variables variables = good;
    variables[name] = value;
    return variables;
  };
  const std::vector<std::pair<Variables, std::string>> cases{
      {{{"RANK", "0"}}, "WORLD_SIZE"},
      {{{"WORLD_SIZE", "2"}}, "RANK"},
      {{{"LOCAL_RANK", "0"}}, "WORLD_SIZE"},
      {{{"OMPI_COMM_WORLD_SIZE", "2"}}, "OMPI_COMM_WORLD_RANK"},
      {{{"PMI_RANK", "0"}}, "PMI_SIZE"},
      {{{"SLURM_PROCID", "0"}}, "SLURM_NTASKS"},
      {changed("RANK", "2"), "RANK"},
      {changed("RANK", "-1"), "RANK"},
      {changed("RANK", "1x"), "RANK"},
      {changed("WORLD_SIZE", "0"), "WORLD_SIZE"},
      {changed("WORLD_SIZE", "99999999999"), "WORLD_SIZE"},
      {changed("LOCAL_RANK", "two"), "LOCAL_RANK"},
      {changed("MASTER_ADDR", ""), "MASTER_ADDR"},
      {changed("MASTER_PORT", ""), "MASTER_PORT"},
      {changed("MASTER_PORT", "0"), "MASTER_PORT"},
      {changed("MASTER_PORT", "65536"), "MASTER_PORT"},
      {{{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}},
       "MASTER_ADDR"},
      {{{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "2"}}, "MASTER_ADDR"},
      {{{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "2"}, {"SLURM_JOB_NODELIST", "n[1-2"}}, "node list"},
  };
  for (const auto& [variables, named] : cases) {
    SCOPED_TRACE(named);
    try {
      from(variables);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  }
}

TEST(RankInfo, FindsTheFirstHostOfANodeList) {
  EXPECT_EQ(first_host("n1"), "n1");
  EXPECT_EQ(first_host("n1,n2"), "n1");
  EXPECT_EQ(first_host("node[07-12,20]"), "node07");
  EXPECT_EQ(first_host("node[5,7]-ib,x"), "node5-ib");
  EXPECT_EQ(first_host("r[1-2]n[5-6]"), "r1n5");
  EXPECT_EQ(first_host("10.0.0.7"), "10.0.0.7");
  for (const char* bad : {"", ",a", "n[", "n[]", "n[1-2", "n]1", "n[-2]", "[,]"})
    EXPECT_THROW(first_host(bad), Error) << bad;
}

}  // namespace
}  // namespace effnet::train
