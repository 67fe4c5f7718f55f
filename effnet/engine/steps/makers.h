// The makers of steps, each beside its step in a file of its name. A new kind of step is a Unit::Kind, a file, a line
// here and a row of the table in plan/planner.cc.
#pragma once

#include "effnet/engine/plan/planner.h"

namespace effnet::engine {

void make_gemm(Planner& planner, const FusedOp& op);
void make_winograd(Planner& planner, const FusedOp& op);
void make_depthwise(Planner& planner, const FusedOp& op);
void make_map(Planner& planner, const FusedOp& op);
void make_pool(Planner& planner, const FusedOp& op);
void make_global_pool(Planner& planner, const FusedOp& op);
void make_concat(Planner& planner, const FusedOp& op);
void make_pad(Planner& planner, const FusedOp& op);
// The image's rows as a blocked tensor, for what reads it and is no convolution of it; no unit's.
void make_block_image(Planner& planner, BufferId rows, const ImageLayout& layout);

}  // namespace effnet::engine
