#include "effnet/train/distributed/run_on_ranks.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

using Json = nlohmann::json;

std::string to_text(const Error& error) {
  return Json{static_cast<int>(error.code()), error.what(), error.hint()}.dump(-1, ' ', false,
                                                                               Json::error_handler_t::replace);
}

Error to_error(const std::string& text) {
  const Json json = Json::parse(text);
  return Error(static_cast<ErrorCode>(json[0].get<int>()), json[1].get<std::string>(), json[2].get<std::string>());
}

}  // namespace

void run_on_all_ranks(Group& group, const std::function<void()>& work) {
  if (group.world() == 1) return work();
  std::string failure;
  try {
    work();
  } catch (const Error& error) {
    failure = to_text(error);
  } catch (const std::exception& error) {
    failure = to_text(internal_error("{}", error.what()));
  }
  for (const std::string& text : group.gather(failure)) {
    if (!text.empty()) throw to_error(text);
  }
}

void run_on_rank0(Group& group, const std::function<void()>& work) {
  run_on_all_ranks(group, [&] {
    if (group.rank() == 0) work();
  });
}

std::string broadcast_from_rank0(Group& group, const std::string& text) {
  return group.gather(group.rank() == 0 ? text : std::string()).front();
}

}  // namespace effnet::train
