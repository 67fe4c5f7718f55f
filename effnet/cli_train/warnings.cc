#include <torch/types.h>
#include <torch/version.h>

#include "effnet/cli_train/commands.h"

namespace effnet::cli {
namespace {

class NoWarnings : public c10::WarningHandler {
 public:
#if TORCH_VERSION_MAJOR >= 2
  void process(const c10::Warning& /*warning*/) override {}
#else
  void process(const c10::SourceLocation& /*where*/, const std::string& /*message*/, const bool /*verbatim*/) override {
  }
#endif
};

}  // namespace

void turn_warnings_off() {
  static NoWarnings handler;
#if TORCH_VERSION_MAJOR >= 2
  c10::WarningUtils::set_warning_handler(&handler);
#else
  c10::Warning::set_warning_handler(&handler);
#endif
}

}  // namespace effnet::cli
