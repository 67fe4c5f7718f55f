// Random search: the baseline that every other controller has to beat. Its state has no content but its owner.
#include "effnet/search/control/draw_points.h"
#include "effnet/search/control/make_controllers.h"
#include "effnet/search/control/state.h"

namespace effnet::search {
namespace {

class RandomController final : public Controller {
 public:
  RandomController(const Space& space, const ControllerOptions& options) : space_(space), options_(options) {}

  Proposal next(std::int64_t generation, std::string_view state, std::span<const Result> /*last*/,
                std::int64_t count) const override {
    read_state(state, "random", generation, space_);
    return {random_points(space_, options_, generation, count), new_state({"random", generation, space_}).dump()};
  }

 private:
  Space space_;
  ControllerOptions options_;
};

}  // namespace

std::unique_ptr<Controller> make_random(const Space& space, const ControllerOptions& options) {
  return std::make_unique<RandomController>(space, options);
}

}  // namespace effnet::search
