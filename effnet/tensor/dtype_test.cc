#include "effnet/tensor/dtype.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace effnet::tensor {
namespace {

TEST(Dtypes, AreInEnumOrderAndFoundByEveryName) {
  std::set<std::string_view> names;
  for (const DtypeInfo& row : dtypes()) {
    EXPECT_EQ(&info(row.dtype), &row);
    EXPECT_EQ(size_bytes(row.dtype), row.bytes);
    for (const auto column : {&DtypeInfo::safetensors, &DtypeInfo::torch, &DtypeInfo::storage, &DtypeInfo::numpy}) {
      const std::string_view text = row.*column;
      if (text.empty()) continue;
      EXPECT_TRUE(names.insert(text).second) << text << " occurs twice";
      EXPECT_EQ(find_dtype(column, text), row.dtype) << text;
    }
    EXPECT_EQ("torch." + std::string(name(row.dtype)), row.torch);
  }
  EXPECT_EQ(dtypes().size(), static_cast<std::size_t>(Dtype::boolean) + 1);
}

TEST(Dtypes, UnknownOrEmptyNameIsNotFound) {
  EXPECT_EQ(find_dtype(&DtypeInfo::safetensors, "F8_E4M3"), std::nullopt);
  EXPECT_EQ(find_dtype(&DtypeInfo::safetensors, "torch.float32"), std::nullopt);
  EXPECT_EQ(find_dtype(&DtypeInfo::numpy, ""), std::nullopt);  // the entry of bfloat16
}

TEST(Dtypes, NumpyNamesContainTheElementSize) {
  for (const DtypeInfo& row : dtypes()) {
    if (row.numpy.empty()) continue;
    EXPECT_EQ(row.numpy.substr(2), std::to_string(row.bytes)) << row.numpy;
  }
}

}  // namespace
}  // namespace effnet::tensor
