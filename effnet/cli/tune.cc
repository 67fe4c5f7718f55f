#include "effnet/cli/tune.h"

#include <array>
#include <filesystem>

#include "effnet/base/cpu.h"
#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/version.h"
#include "effnet/model/measure.h"

namespace effnet::cli {
namespace {

using engine::PlanOptions;

struct Switch {
  const char* name;
  bool PlanOptions::*member;
};
constexpr std::array kSwitches{
    Switch{"fuse_epilogues", &PlanOptions::fuse_epilogues}, Switch{"fuse_depthwise", &PlanOptions::fuse_depthwise},
    Switch{"fuse_scale", &PlanOptions::fuse_scale}, Switch{"fuse_pool", &PlanOptions::fuse_pool}};

constexpr double kGain = 0.99;  // a plan must take less than 99 % of the best time; smaller gains are noise

// Returns a text with everything that the choice of the plan depends on.
std::string key_of(const graph::Graph& graph, const std::string& arch, kernels::Isa isa,
                   const engine::SessionOptions& options) {
  return fmt::format("effnet {} layout {}\n{}\n{}\n{}x{} batch {} threads {}\n{}", kVersion,
                     engine::PackedWeights::kLayoutVersion, cpu_model(), kernels::name(isa), graph.input().h,
                     graph.input().w, options.batch, options.threads, arch);
}

std::filesystem::path path_of(const std::string& key) {
  return home_folder() / "tuned" / (sha256(std::as_bytes(std::span(key))).substr(0, 32) + ".json");
}

std::optional<PlanOptions> find_saved_plan(const std::string& key) {
  try {
    const Json document = Json::parse(read_text(path_of(key)));
    if (document.at("key") != key) return {};
    PlanOptions plan;
    for (const Switch& one : kSwitches) plan.*one.member = document.at("plan").at(one.name).get<bool>();
    return plan;
  } catch (const Json::exception&) {
    return {};
  } catch (const Error&) {
    return {};
  }
}

void save_plan(const std::string& key, const PlanOptions& plan, Output& out) {
  try {
    const std::filesystem::path path = path_of(key);
    make_folders(path.parent_path());
    write_text(path, Json{{"key", key}, {"plan", to_json(plan)}}.dump(2) + "\n");
  } catch (const Error& error) {
    out.note(fmt::format("cannot save the tuned plan: {}", error.what()));
  }
}

}  // namespace

Json to_json(const PlanOptions& plan) {
  Json document;
  for (const Switch& one : kSwitches) document[one.name] = plan.*one.member;
  return document;
}

PlanOptions plan_without(const std::string& switches) {
  PlanOptions plan;
  std::istringstream in(switches);
  std::string name;
  while (std::getline(in, name, ',')) {
    plan.*row_named(kSwitches, name, ErrorCode::usage, "--without: unknown switch of the plan").member = false;
  }
  return plan;
}

PlanOptions tuned_plan(const graph::Graph& graph, const std::string& arch,
                       const std::shared_ptr<const engine::PackedWeights>& weights,
                       const engine::SessionOptions& options, double seconds, ThreadPool& pool, Output& out) {
  const std::string key = key_of(graph, arch, weights->isa(), options);
  if (const auto saved = find_saved_plan(key)) return *saved;
  const std::vector<float> input = model::photo_like(graph.input(), options.batch, pool);
  constexpr double kMeasurements = 2 * kSwitches.size() + 1;
  const auto time = [&](const PlanOptions& plan) {
    engine::SessionOptions tried = options;
    tried.plan = plan;
    engine::Session session(graph, weights, tried);
    return model::measure(session, input, seconds / kMeasurements).min();
  };
  PlanOptions best = options.plan;
  double best_ms = time(best);
  for (const Switch& one : kSwitches) {
    PlanOptions tried = best;
    tried.*one.member = false;
    const double tried_ms = time(tried);
    best_ms = std::min(best_ms, time(best));  // measured again, close in time to the other plan
    if (tried_ms >= kGain * best_ms) continue;
    best = tried;
    best_ms = tried_ms;
  }
  save_plan(key, best, out);
  return best;
}

}  // namespace effnet::cli
