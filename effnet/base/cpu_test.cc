#include "effnet/base/cpu.h"

#include <gtest/gtest.h>

#include <sstream>

namespace effnet {
namespace {

std::string model_in(const std::string& text) {
  std::istringstream in(text);
  return cpu_model_in(in);
}

TEST(CpuModel, OnX86IsTheModelName) {
  EXPECT_EQ(model_in("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9B14\n"),
            "AMD EPYC 9B14");
}

TEST(CpuModel, OnArmIsImplementerAndPartOfEachKindOfCore) {
  const std::string core =
      "BogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: ";
  EXPECT_EQ(model_in(core + "0xd0c\n\n" + core + "0xd0c\n"), "ARM implementer 0x41 part 0xd0c");
  EXPECT_EQ(model_in(core + "0xd05\n\n" + core + "0xd0b\n\n" + core + "0xd05\n"),
            "ARM implementer 0x41 part 0xd05, implementer 0x41 part 0xd0b");
}

TEST(CpuModel, IsUnknownWithoutNameAndNumbers) {
  EXPECT_EQ(model_in(""), "unknown");
  EXPECT_EQ(model_in("processor\t: 0\nmodel name\n"), "unknown");
}

TEST(CpuModel, OfThisMachineIsNotEmpty) { EXPECT_NE(cpu_model(), ""); }

}  // namespace
}  // namespace effnet
