#include "effnet/train/step/precision.h"

#include <gtest/gtest.h>

#include <sstream>

namespace effnet::train {
namespace {

bool has_bf16(const std::string& cpuinfo) {
  std::istringstream in(cpuinfo);
  return has_bf16_instructions(in);
}

// Lines from Linux on an Ice Lake, a Sapphire Rapids and a Neoverse V1.
TEST(Precision, RecognisesCpusWithInstructionsForBf16) {
  EXPECT_FALSE(has_bf16("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni avx512_vbmi2\n"));
  EXPECT_TRUE(
      has_bf16("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx_vnni avx512_bf16 wbnoinvd amx_bf16 amx_tile\n"));
  EXPECT_TRUE(has_bf16("processor\t: 0\nFeatures\t: fp asimd sve i8mm bf16 dgh\n"));
  EXPECT_FALSE(has_bf16("processor\t: 0\nFeatures\t: fp asimd crc32\n"));
  EXPECT_FALSE(has_bf16("model name\t: a name with bf16 in it\nflags\t\t: fpu\n"));
  EXPECT_FALSE(has_bf16(""));
}

TEST(Precision, Fp32AndBf16OnAGpuGiveNoWarning) {
  EXPECT_EQ(slow_precision(Precision::fp32, torch::kCPU), "");
  EXPECT_EQ(slow_precision(Precision::bf16, torch::Device(torch::kCUDA, 0)), "");
}

}  // namespace
}  // namespace effnet::train
