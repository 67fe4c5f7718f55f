// The functions that plan the steps. Each function is in the file of its step. A new kind of step needs a
// FusedOp::Kind, a file, a declaration here, and a row of the table in plan/planner.cc.
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
// Adds a step that converts the HWC rows of the network's input to a blocked tensor, for readers that are not
// convolutions. It belongs to no fused op.
void make_block_image(Planner& planner, BufferId rows, const ImageLayout& layout);

}  // namespace effnet::engine
