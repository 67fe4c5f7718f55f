// All that a program needs to describe, count and run networks (docs/library.md). A header that is not included from
// here, directly or not, is no part of the library's interface.
#pragma once

#include "effnet/arch/family.h"
#include "effnet/arch/scaling.h"
#include "effnet/arch/spec.h"
#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/preprocessing_rules.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/classify.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/random_weights.h"
#include "effnet/engine/session.h"
#include "effnet/formats/labels.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/graph.h"
#include "effnet/graph/lower.h"
#include "effnet/kernels/isa.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/preprocess.h"
