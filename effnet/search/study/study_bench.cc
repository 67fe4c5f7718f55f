// Prints how long the functions of a study with 10,000 trials take: study_bench [FILE or URL]. A file is removed first.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "effnet/search/study/study.h"

using namespace effnet;
using namespace effnet::search;

namespace {

template <class Call>
void time(const char* what, int times, const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) call(i);
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  std::printf("%-48s %8.3f ms\n", what, spent.count() / times);
}

}  // namespace

int main(int count, char** words) {
  const std::string where = count > 1 ? words[1] : "/tmp/study_bench.sqlite";
  if (!is_server(where)) std::filesystem::remove(where);
  Study::create(where, "bench", "{}");
  Study study(where, "bench");
  const std::string point(200, 'k');
  std::vector<NewTrial> trials(10'000);
  for (std::size_t i = 0; i < trials.size(); ++i) trials[i] = {fmt::format("{} {}", point, i), 1, 1};
  const std::string details(300, 'd');
  time("add_generation of 10,000", 1, [&](int) { study.add_generation(0, trials, "state"); });
  time("claim, 10,000 waiting", 100, [&](int i) { study.claim("w", i); });
  time("finish", 100, [&](int i) { study.finish(i + 1, "w", 1, details, 0); });
  time("claim and finish, 9,900 times", 9'900, [&](int i) {
    if (const auto trial = study.claim("w", i)) study.finish(trial->id, "w", 1, details, 0);
  });
  const std::span<const NewTrial> some = std::span(trials).first(64);
  time("add_generation of 64, all twins", 1, [&](int) { study.add_generation(1, some, "state"); });
  time("claim that ends 64 twins", 1, [&](int) { study.claim("w", 0); });
  time("claim with nothing to do", 100, [&](int) { study.claim("w", 0); });
  time("trials", 10, [&](int) { study.trials(); });
  time("trials_of 64", 100, [&](int) { study.trials_of(1); });
  time("counts", 100, [&](int) { study.counts(); });
  time("plan_input", 100, [&](int) { study.plan_input(); });
  time("open", 100, [&](int) { const Study another(where, "bench"); });
}
