// Tests of the kernel tables and of the choice of the instruction set: the kernel that is named is the kernel that
// runs.
#include "effnet/kernels/kernels.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "effnet/base/error.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels {
namespace {

constexpr Epilogue kAllEpilogues[] = {Epilogue::clamp, Epilogue::silu, Epilogue::hard_swish};

struct Entry {
  std::string name;
  void (*function)();
};

// Returns every entry of a set's tables with its name.
std::vector<Entry> entries(const KernelSet& set) {
  std::vector<Entry> result;
  const auto push = [&](std::string name, auto function) {
    result.push_back({std::move(name), reinterpret_cast<void (*)()>(function)});
  };
  for (const Epilogue epilogue : kAllEpilogues) {
    for (std::int64_t lanes = 8; lanes <= set.tile; lanes += 8) {
      for (std::size_t p = set.first_height(lanes); p < set.heights.size(); ++p) {
        push(gemm_name(set, p, lanes, epilogue), set.gemm(p, lanes, epilogue));
      }
    }
    for (const std::int64_t kernel : {3, 5, 7}) {
      for (const std::int64_t stride : {1, 2}) {
        for (const bool half : {false, true}) {
          push(depthwise_name(set, kernel, stride, half, epilogue), set.depthwise(kernel, stride, half, epilogue));
        }
      }
    }
    for (const std::int64_t kernel : {3, 5}) {
      for (const bool half : {false, true}) {
        if (set.depthwise_pairs.empty()) continue;
        push(depthwise_pair_name(set, kernel, half, epilogue), set.depthwise_pair(kernel, 1, half, epilogue));
      }
    }
    push("depthwise_any " + std::string(name(epilogue)), set.depthwise_any[static_cast<int>(epilogue)]);
    push("map " + std::string(name(epilogue)), set.map[static_cast<int>(epilogue)]);
    push("winograd_output " + std::string(name(epilogue)), set.winograd_output[static_cast<int>(epilogue)]);
  }
  push("max_pool", set.max_pool);
  push("average_pool", set.average_pool);
  push("sigmoid", set.sigmoid);
  push("sum", set.sum);
  push("scale_rows", set.scale_rows);
  push("winograd_input", set.winograd_input);
  return result;
}

TEST(KernelSet, TablesAreCompleteAndNamesAreUnique) {
  for (const Isa isa : usable_sets()) {
    const KernelSet& set = kernel_set({isa});
    SCOPED_TRACE(name(isa));
    EXPECT_EQ(set.target, Target{isa});
    EXPECT_EQ(&set, &kernel_set({isa}));
    EXPECT_TRUE(set.tile == 16 || set.tile == 32) << set.tile;
    ASSERT_FALSE(set.heights.empty());
    EXPECT_EQ(set.heights.back(), 1);
    for (std::size_t p = 1; p < set.heights.size(); ++p) EXPECT_LT(set.heights[p], set.heights[p - 1]);
    EXPECT_EQ(set.gemms.size(), set.heights.size() * static_cast<std::size_t>(set.tile / 8) * kEpilogues);
    EXPECT_EQ(set.depthwises.size(), 3U * 2 * 2 * kEpilogues);
    EXPECT_TRUE(set.depthwise_pairs.empty() || set.depthwise_pairs.size() == 2U * 2 * kEpilogues);

    std::set<std::string> names;
    std::set<void (*)()> functions;
    for (const Entry& entry : entries(set)) {
      EXPECT_NE(entry.function, nullptr) << entry.name;
      EXPECT_TRUE(names.insert(entry.name).second) << entry.name << ": the name occurs twice";
      EXPECT_TRUE(functions.insert(entry.function).second) << entry.name << ": the function occurs twice";
    }
    // entries() returns every function of the tables.
    for (const GemmFn function : set.gemms) {
      if (function == nullptr) continue;  // a height that only tiles of 8 channels have: no kernel
      EXPECT_TRUE(functions.contains(reinterpret_cast<void (*)()>(function)));
    }
    for (const DepthwiseFn function : set.depthwises) {
      EXPECT_TRUE(functions.contains(reinterpret_cast<void (*)()>(function)));
    }
    for (const DepthwisePairFn function : set.depthwise_pairs) {
      EXPECT_TRUE(functions.contains(reinterpret_cast<void (*)()>(function)));
    }
  }
}

TEST(KernelSet, NamesContainTileEpilogueAndInstructionSet) {
  for (const Isa isa : usable_sets()) {
    const KernelSet& set = kernel_set({isa});
    const std::string end = "_" + std::string(name(isa));
    EXPECT_EQ(gemm_name(set, set.wide_heights, 16, Epilogue::silu),
              "f32_gemm_" + std::to_string(set.tallest()) + "x16_silu" + end);
    EXPECT_EQ(gemm_name(set, set.heights.size() - 1, 8, Epilogue::clamp), "f32_gemm_1x8_clamp" + end);
    EXPECT_EQ(depthwise_name(set, 3, 2, false, Epilogue::silu), "f32_depthwise_k3s2x16_silu" + end);
    EXPECT_EQ(depthwise_pair_name(set, 5, true, Epilogue::silu), "f32_depthwise_pair_k5s1x8_silu" + end);
    EXPECT_EQ(depthwise_name(set, 7, 1, true, Epilogue::hard_swish), "f32_depthwise_k7s1x8_hard_swish" + end);
  }
}

TEST(Targets, HaveNamesAndTablesOrThrow) {
  EXPECT_EQ(name(Precision::fp32), "fp32");
  EXPECT_EQ(name(Target{Isa::avx512}), "avx512_fp32");
  EXPECT_EQ(kernel_name(Target{Isa::avx2}, "map"), "f32_map_avx2");
  int lacking = 0;  // no processor has both AVX2 and NEON
  for (const Isa isa : {Isa::avx2, Isa::neon}) {
    const Target target{isa};
    try {
      EXPECT_EQ(training_set(target).target, target);
      EXPECT_EQ(kernel_set(target).target, target);
    } catch (const Error& error) {
      EXPECT_NE(std::string_view(error.what()).find(name(target)), std::string_view::npos) << error.what();
      ++lacking;
    }
  }
  EXPECT_GE(lacking, 1);
}

// No function is in the tables of two instruction sets.
TEST(KernelSet, SetsShareNoFunction) {
  std::map<void (*)(), std::string> owners;
  for (const Isa isa : usable_sets()) {
    for (const Entry& entry : entries(kernel_set({isa}))) {
      const auto [at, inserted] = owners.emplace(entry.function, std::string(name(isa)));
      EXPECT_TRUE(inserted || at->second == name(isa)) << entry.name << " of " << name(isa) << " runs " << at->second;
    }
  }
}

TEST(Isa, IsaOfReturnsTheSetOfEachName) {
  const std::vector<Isa> sets = usable_sets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.front(), Isa::portable);
  EXPECT_EQ(std::set<Isa>(sets.begin(), sets.end()).size(), sets.size());
  for (std::size_t i = 1; i < sets.size(); ++i) EXPECT_LT(sets[i - 1], sets[i]);
  EXPECT_EQ(instruction_sets().front(), "portable");
  for (const Isa isa : sets) EXPECT_EQ(isa_of(name(isa)), isa);
}

template <class Function>
void expect_environment_error(std::string_view name_in_message, Function function) {
  try {
    function();
    ADD_FAILURE() << name_in_message << ": no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_NE(std::string_view(error.what()).find(name_in_message), std::string_view::npos) << error.what();
  }
}

TEST(Isa, RejectsUnknownAndUnsupportedSets) {
  for (const char* unknown : {"sse9", "AVX2", "avx2 "}) {
    expect_environment_error(unknown, [&] { (void)isa_of(unknown); });
  }
  const std::vector<Isa> sets = usable_sets();
  for (std::size_t i = 0; i < kIsas; ++i) {
    const auto isa = static_cast<Isa>(i);
    if (std::find(sets.begin(), sets.end(), isa) != sets.end()) {
      EXPECT_NO_THROW(require(isa)) << name(isa);
      continue;
    }
    expect_environment_error(name(isa), [&] { (void)isa_of(name(isa)); });
    expect_environment_error(name(isa), [&] { require(isa); });
  }
}

// Each case sets $EFFNET_ISA in a new process, because the program may read the variable only once.
class ForcedIsa : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  // Sets EFFNET_ISA to `value` (null: unset) and exits with 100 + the chosen set, or with the error code.
  [[noreturn]] static void choose(const char* value) {
    value == nullptr ? unsetenv("EFFNET_ISA") : setenv("EFFNET_ISA", value, 1);
    int code = 0;
    try {
      const Isa chosen = chosen_isa();
      code =
          isa_of("") == chosen && kernel_set({chosen}).target == Target{chosen} ? 100 + static_cast<int>(chosen) : 99;
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    }
    std::exit(code);
  }
};

TEST_F(ForcedIsa, RunsTheNamedSet) {
  for (const Isa isa : usable_sets()) {
    EXPECT_EXIT(choose(std::string(name(isa)).c_str()), testing::ExitedWithCode(100 + static_cast<int>(isa)), "");
  }
}

TEST_F(ForcedIsa, UnsetMeansTheBestSet) {
  EXPECT_EXIT(choose(nullptr), testing::ExitedWithCode(100 + static_cast<int>(usable_sets().back())), "");
}

TEST_F(ForcedIsa, UnknownNameIsAnEnvironmentError) {
  EXPECT_EXIT(choose("sse9"), testing::ExitedWithCode(static_cast<int>(ErrorCode::environment)), "");
}

}  // namespace
}  // namespace effnet::kernels
