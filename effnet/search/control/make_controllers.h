// The makers of the controllers, for the table in controllers.cc. Each one is in the file with the controller's name.
#pragma once

#include <memory>

#include "effnet/search/control/controller.h"

namespace effnet::search {

std::unique_ptr<Controller> make_random(const Space& space, const ControllerOptions& options);
std::unique_ptr<Controller> make_evolution(const Space& space, const ControllerOptions& options);
std::unique_ptr<Controller> make_rl(const Space& space, const ControllerOptions& options);
std::unique_ptr<Controller> make_nsga2(const Space& space, const ControllerOptions& options);

}  // namespace effnet::search
