#include "effnet/train/distributed/buckets.h"

#include <torch/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/utils.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

// std::shared_ptr<Node> in LibTorch 1.13, an intrusive pointer in later versions.
using NodePtr = decltype(torch::autograd::impl::grad_accumulator(std::declval<const torch::Tensor&>()));
using torch::autograd::variable_list;

struct Slot {
  torch::Tensor parameter;
  std::size_t bucket = 0;
  std::int64_t offset = 0;  // in the bucket's flat tensor, in elements
  bool ready = false;
  NodePtr accumulator;  // kept alive here: the parameter has only a weak reference
  std::uintptr_t hook = 0;
};

struct Bucket {
  std::size_t first = 0, last = 0;  // slots [first, last)
  torch::Tensor flat;
  std::size_t missing = 0;  // number of slots that are not filled yet
  GradientBuckets::Wait wait;
};

}  // namespace

struct GradientBuckets::State {
  std::vector<Slot> slots;  // parameters in reverse order
  std::vector<Bucket> buckets;
  std::int64_t bucket_bytes = 0, flags = 0;  // flags: offset of the flags in the last bucket
  int world = 1;
  Launch launch;

  std::mutex mutex;  // protects `active`, `sent`, Slot::ready and Bucket::missing
  bool active = false;
  std::size_t sent = 0;  // number of buckets sent

  // The slot's range of its bucket, in the parameter's shape.
  torch::Tensor view(const Slot& slot) const {
    return buckets[slot.bucket].flat.narrow(0, slot.offset, slot.parameter.numel()).view(slot.parameter.sizes());
  }
  void fill(Slot& slot) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor& gradient = slot.parameter.grad();
    if (gradient.defined()) {
      view(slot).copy_(gradient);
    } else {
      view(slot).zero_();
    }
    slot.ready = true;
    --buckets[slot.bucket].missing;
  }
  void send_next() {
    Bucket& bucket = buckets[sent];
    bucket.wait = launch(bucket.flat);
    ++sent;
  }
  void gradient_ready(std::size_t index) {
    const std::lock_guard lock(mutex);
    Slot& slot = slots[index];
    if (!active || slot.ready || slot.bucket < sent) return;
    fill(slot);
    // Not the last bucket: finish() sends it, because only then all flags are known.
    while (sent + 1 < buckets.size() && buckets[sent].missing == 0) send_next();
  }
};

GradientBuckets::GradientBuckets(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes, int world,
                                 Launch launch)
    : state_(std::make_shared<State>()) {
  EFFNET_CHECK(!parameters.empty() && bucket_bytes > 0 && world > 0);
  State& state = *state_;
  state.bucket_bytes = bucket_bytes;
  state.world = world;
  state.launch = std::move(launch);
  std::vector<std::int64_t> elements;  // of each bucket
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    EFFNET_CHECK(parameter->is_leaf() && parameter->requires_grad() && parameter->is_floating_point());
    const std::size_t index = state.slots.size();
    const bool new_bucket = index == 0 || elements.back() * parameter->element_size() >= bucket_bytes ||
                            state.slots.back().parameter.scalar_type() != parameter->scalar_type() ||
                            state.slots.back().parameter.device() != parameter->device();
    if (new_bucket) {
      state.buckets.push_back({index, index, {}, 0, {}});
      elements.push_back(0);
    }
    state.buckets.back().last = index + 1;
    state.slots.push_back({*parameter, state.buckets.size() - 1, elements.back(), false, nullptr, 0});
    elements.back() += parameter->numel();
  }
  state.flags = elements.back();
  elements.back() += static_cast<std::int64_t>(state.slots.size());
  for (std::size_t b = 0; b < elements.size(); ++b)
    state.buckets[b].flat =
        torch::zeros({elements[b]}, state.slots[state.buckets[b].first].parameter.options().requires_grad(false));

  for (std::size_t i = 0; i < state.slots.size(); ++i) {
    Slot& slot = state.slots[i];
    slot.accumulator = torch::autograd::impl::grad_accumulator(slot.parameter);
    slot.hook = slot.accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [weak = std::weak_ptr<State>(state_), i](const variable_list& outputs, const variable_list& /*inputs*/) {
          if (const auto alive = weak.lock()) alive->gradient_ready(i);
          return outputs;
        }));
  }
}

GradientBuckets::~GradientBuckets() {
  for (Slot& slot : state_->slots) slot.accumulator->del_post_hook(slot.hook);
}

bool GradientBuckets::matches(const std::vector<torch::Tensor>& parameters, std::int64_t bucket_bytes) const {
  return bucket_bytes == state_->bucket_bytes &&
         std::equal(parameters.rbegin(), parameters.rend(), state_->slots.begin(), state_->slots.end(),
                    [](const torch::Tensor& parameter, const Slot& slot) { return parameter.is_same(slot.parameter); });
}

void GradientBuckets::begin() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  state.active = true;
  for (std::size_t b = state.sent; b < state.buckets.size(); ++b) {
    Bucket& bucket = state.buckets[b];
    bucket.missing = bucket.last - bucket.first;
    for (std::size_t i = bucket.first; i < bucket.last; ++i) state.slots[i].ready = false;
  }
}

void GradientBuckets::finish() {
  const torch::NoGradGuard no_grad;
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  EFFNET_CHECK(state.active);
  state.active = false;
  const auto count = static_cast<std::int64_t>(state.slots.size());
  std::vector<float> has_gradient(state.slots.size());
  for (std::size_t i = 0; i < state.slots.size(); ++i) {
    Slot& slot = state.slots[i];
    has_gradient[i] = slot.parameter.grad().defined() ? 1.0F : 0.0F;
    if (!slot.ready && slot.bucket >= state.sent) state.fill(slot);
  }
  torch::Tensor flags = state.buckets.back().flat.narrow(0, state.flags, count);
  flags.copy_(torch::from_blob(has_gradient.data(), {count}, torch::kFloat32));
  while (state.sent < state.buckets.size()) state.send_next();
  state.sent = 0;
  for (Bucket& bucket : state.buckets) bucket.wait();

  const torch::Tensor ranks_with_gradient = flags.to(torch::kCPU, torch::kFloat32).contiguous();
  for (Bucket& bucket : state.buckets) bucket.flat.div_(state.world);
  for (std::size_t i = 0; i < state.slots.size(); ++i) {
    if (ranks_with_gradient.data_ptr<float>()[i] == 0) continue;
    Slot& slot = state.slots[i];
    torch::Tensor& gradient = slot.parameter.mutable_grad();
    if (!gradient.defined()) gradient = torch::empty_like(slot.parameter);
    gradient.copy_(state.view(slot));
  }
}

std::int64_t GradientBuckets::count() const { return static_cast<std::int64_t>(state_->buckets.size()); }

std::int64_t GradientBuckets::launched() const {
  const std::lock_guard lock(state_->mutex);
  return static_cast<std::int64_t>(state_->sent);
}

}  // namespace effnet::train
