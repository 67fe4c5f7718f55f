// The parts of the kernel tables, one function a source file: kernels.cc joins them.
#pragma once

#include <span>

#include "effnet/kernels/kernels.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels {

std::span<const ProductFn> products_avx512();
std::span<const ProductFn> products_avx2();
std::span<const ProductFn> products_portable();
std::span<const DepthwiseFn> depthwises_avx512();
std::span<const DepthwiseFn> depthwises_avx2();
std::span<const DepthwiseFn> depthwises_portable();
std::span<const DepthwisePairFn> depthwise_pairs_avx512();
void fill_elementwise_avx512(KernelSet& set);
void fill_elementwise_avx2(KernelSet& set);
void fill_elementwise_portable(KernelSet& set);
void fill_training_avx512(TrainingSet& set);
void fill_training_avx2(TrainingSet& set);
void fill_training_portable(TrainingSet& set);

}  // namespace effnet::kernels
