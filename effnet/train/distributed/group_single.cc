#include "effnet/train/distributed/group.h"

namespace effnet::train {
namespace {

// With one process every collective is the identity, and the mean of the gradients is the gradient itself.
class SingleProcess final : public Group {
 public:
  int rank() const override { return 0; }
  int world() const override { return 1; }
  void sum(at::Tensor&) override {}
  void broadcast(at::Tensor&, int) override {}
  void barrier() override {}
  std::vector<std::string> gather(std::string_view text) override { return {std::string(text)}; }
  void begin_gradients(const std::vector<at::Tensor>&, std::int64_t) override {}
  void end_gradients() override {}
};

}  // namespace

std::unique_ptr<Group> single_process() { return std::make_unique<SingleProcess>(); }

}  // namespace effnet::train
