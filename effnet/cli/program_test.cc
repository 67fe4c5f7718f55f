#include "effnet/cli/program.h"

#include <cstdlib>
#include <filesystem>

#include "effnet/base/cpu.h"
#include "effnet/base/file.h"
#include "effnet/cli/cli_testing.h"
#include "effnet/cli/version.h"

namespace effnet::cli {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const std::size_t blank = text.find(' ');
    words.emplace_back(text.substr(0, blank));
    if (blank == std::string_view::npos) return words;
    text.remove_prefix(blank + 1);
  }
}

TEST(Program, EveryCommandHasHelp) {
  const RunResult all = run_effnet({"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_EQ(all.messages, "");
  for (const Command& command : effnet_program().commands) {
    EXPECT_NE(all.results.find(command.summary), std::string::npos) << command.name;
    if (command.exec != nullptr) continue;
    const RunResult run = run_effnet({std::string(command.name), "--help"});
    EXPECT_EQ(run.code, 0) << command.name;
    EXPECT_EQ(run.results.rfind(command.summary, 0), 0U) << run.results;
    EXPECT_EQ(run.messages, "");
  }
  EXPECT_EQ(run_effnet({"--version"}).results, fmt::format("effnet {}\n", kVersion));
}

TEST(Program, PlannedCommandsExit4) {
  ASSERT_FALSE(effnet_program().planned.empty());
  for (const std::string_view planned : effnet_program().planned) {
    const RunResult run = run_effnet(words_of(planned));
    EXPECT_EQ(run.code, 4) << planned;
    EXPECT_EQ(run.results, "");
    EXPECT_EQ(run.messages.rfind(fmt::format("effnet: error: effnet {} is not built yet (got version {}, expected one "
                                             "of models, inspect, ",
                                             planned, kVersion),
                                 0),
              0U)
        << run.messages;
  }
}

TEST(Program, WrongUsage) {
  struct Case {
    const char *line, *message;
  };
  const Case cases[] = {
      {"inspct efficientnet_b0",
       "effnet: error: unknown command (got 'inspct', expected models, inspect, scale, search, pull, import, export, "
       "predict, "
       "eval, data, cam, features, similar, probe, bench, train, finetune, launch, compare, compare-models, report, "
       "paper or doctor)\nhint: did you mean effnet inspect?\n"},
      {"models --threads 1,2",
       "effnet: error: --threads: only effnet bench accepts a list (got 1,2, expected one number)\n"},
      {"models --threads 0",
       "effnet: error: --threads: wrong value (got '0', expected a whole number from 1 to 1024)\n"},
      {"inspect efficientnet_b0 --classes none",
       "effnet: error: --classes: wrong value (got 'none', expected a whole number from 1 to 1048576)\n"},
      {"models --nonsense",
       "effnet: error: wrong usage: The following argument was not expected: --nonsense\n"
       "hint: effnet models --help shows what is expected\n"},
      {"inspect",
       "effnet: error: wrong usage: MODEL is required\n"
       "hint: MODEL: A name from 'effnet models', a model file, a run folder or one of its checkpoints, or a .toml "
       "arch file; effnet inspect --help shows what is expected\n"},
      {"data split d",
       "effnet: error: wrong usage: --out is required\n"
       "hint: --out: Write the folders to this path, which must be new or an empty folder; effnet data split --help "
       "shows what is expected\n"},
      {"predict m i --toop 3",
       "effnet: error: wrong usage: The following argument was not expected: --toop\n"
       "hint: did you mean --top? effnet predict --help shows what is expected\n"},
      {"report r --output=x.html",
       "effnet: error: wrong usage: The following argument was not expected: --output=x.html\n"
       "hint: did you mean --out? effnet report --help shows what is expected\n"},
      {"probe m flowers",
       "effnet: error: wrong usage: --data is required\n"
       "hint: did you mean --data flowers? effnet probe --help shows what is expected\n"},
      {"similar m i flowers",
       "effnet: error: wrong usage: --in is required\n"
       "hint: did you mean --in flowers? effnet similar --help shows what is expected\n"},
      {"--nonsense",
       "effnet: error: wrong usage: A subcommand is required\n"
       "hint: effnet --help shows what is expected\n"},
      {"paper table9",
       "effnet: error: unknown table or figure of the paper (got 'table9', expected table1, table2, table3, table4, "
       "table5, table6, table7, table8, fig1, fig2, fig3, fig4, fig5, fig6, fig7, fig8 or all)\nhint: did you mean "
       "table1?\n"},
      {"search runn",
       "effnet: error: effnet search: unknown command (got 'runn', expected run, worker, show, export, latency or "
       "supernet)\nhint: did you mean effnet search run?\n"},
      {"search shwo",
       "effnet: error: effnet search: unknown command (got 'shwo', expected run, worker, show, export, latency or "
       "supernet)\nhint: did you mean effnet search show?\n"},
      {"scale serach",
       "effnet: error: effnet scale: unknown command (got 'serach', expected frontier or search)\n"
       "hint: did you mean effnet scale search?\n"},
      {"scale frontir efficientnet_b0 --cost macs",
       "effnet: error: effnet scale: unknown command (got 'frontir', expected frontier or search)\n"
       "hint: did you mean effnet scale frontier?\n"},
      {"search run x --epochs 3",
       "effnet: error: wrong usage: The following arguments were not expected: --epochs 3\n"
       "hint: did you mean --budgets? effnet search run --help shows what is expected\n"},
      {"search show x y z",
       "effnet: error: wrong usage: The following arguments were not expected: y z\n"
       "hint: effnet search show --help shows what is expected\n"},
      {"search bogus",
       "effnet: error: effnet search: unknown command (got 'bogus', expected run, worker, show, export, latency or "
       "supernet)\nhint: effnet search --help lists the commands\n"},
      {"search",
       "effnet: error: effnet search: no command (got none, expected run, worker, show, export, latency or "
       "supernet)\nhint: effnet search --help lists the commands\n"},
      {"launch train",
       "effnet: error: wrong usage: -n is required\n"
       "hint: -n: Start N processes; effnet launch --help shows what is expected\n"},
      {"search run",
       "effnet: error: wrong usage: STUDY is required\n"
       "hint: STUDY: Keep all trials here: an SQLite file, or the URL of a PostgreSQL database; a search that is there "
       "continues; effnet search run --help shows what is expected\n"},
      {"search run x --nonsense",
       "effnet: error: wrong usage: The following argument was not expected: --nonsense\n"
       "hint: effnet search run --help shows what is expected\n"},
      {"scale frontier",
       "effnet: error: wrong usage: BASE is required\n"
       "hint: BASE: A name from 'effnet models', a model file, a run folder or one of its checkpoints, or a .toml arch "
       "file; effnet scale frontier --help shows what is expected\n"},
  };
  for (const auto& [line, message] : cases) {
    const RunResult run = run_effnet(words_of(line));
    EXPECT_EQ(run.code, 2) << line;
    EXPECT_EQ(run.results, "");
    EXPECT_EQ(run.messages, message);
  }
}

// An empty value would mean the same as an option that is not given.
TEST(Program, EmptyValuesAreRefused) {
  const std::string end =
      ": the value is empty (got '', expected a value)\nhint: leave the option out for its default; a shell variable "
      "in "
      "the command may be empty\n";
  const auto messages = [](const std::vector<std::string>& words) {
    const RunResult run = run_effnet(words);
    EXPECT_EQ(run.code, 2);
    return run.messages;
  };
  EXPECT_EQ(messages({"search", "run", "x.study", "--target", ""}), "effnet: error: --target" + end);
  EXPECT_EQ(messages({"search", "run", ""}), "effnet: error: STUDY" + end);
  EXPECT_EQ(messages({"search", "run", "x.study", "--set", "a=1", "--set", ""}), "effnet: error: --set" + end);
  EXPECT_EQ(messages({"scale", "frontier", "mobilenet_v2", "--cost", "macs", "--from", ""}),
            "effnet: error: --from" + end);
  EXPECT_EQ(messages({"scale", "mobilenet_v2", "--phi", "1", "-o", ""}), "effnet: error: --out" + end);
}

// The parser would take the next word as the value: a page with the name "--json".
TEST(Program, AnOptionIsNoValue) {
  const auto message = [](const char* line) {
    const RunResult run = run_effnet(words_of(line));
    EXPECT_EQ(run.code, 2) << line;
    return run.messages.substr(0, run.messages.find('\n'));
  };
  for (const char* line : {"search show x --report= --json", "search show x --report="})
    EXPECT_EQ(message(line), "effnet: error: --report: the value is empty (got '', expected a value)");
  EXPECT_EQ(message("report x --out= --data d"), "effnet: error: --out: the value is empty (got '', expected a value)");
  EXPECT_EQ(message("search show x --report --json"),
            "effnet: error: --report: the value is missing (got the option --json, expected a value)");
  EXPECT_EQ(message("report x -o --json"),
            "effnet: error: --out: the value is missing (got the option --json, expected a value)");
  EXPECT_EQ(message("search export x -o --weights y"),
            "effnet: error: --out: the value is missing (got the option --weights, expected a value)");
  EXPECT_EQ(message("search run x --set --json"),
            "effnet: error: --set: the value is missing (got the option --json, expected a value)");
  EXPECT_EQ(message("report x -o=y.html"),
            "effnet: error: -o: an option of one letter has no = (got '-o=y.html', expected -o y.html)");
  EXPECT_EQ(message("report x -o="), "effnet: error: -o: the value is empty (got '', expected a value)");
  // A joined value was meant; the run is missing, which is another error.
  EXPECT_EQ(run_effnet(words_of("report no_run --data=--json")).code, 3);
}

TEST(Program, TheHelpOfEachCommandHasTheExitCodes) {
  for (const char* line : {"models", "search", "search run", "search show", "scale", "scale frontier", "paper"}) {
    std::vector<std::string> words = words_of(line);
    words.emplace_back("--help");
    const std::string help = run_effnet(words).results;
    EXPECT_NE(help.find("Exit codes: 0 done"), std::string::npos) << line;
    EXPECT_NE(help.find("Global options: --json, --quiet, --threads N"), std::string::npos) << line;
  }
  EXPECT_NE(run_effnet({"search", "run", "--help"}).results.find("Controllers:"), std::string::npos);
  EXPECT_NE(run_effnet({"scale", "--help"}).results.find("Rules ("), std::string::npos);
  const std::string help = run_effnet({"--help"}).results;
  EXPECT_EQ(help.find("Global options"), std::string::npos) << "they are listed as options";
  EXPECT_NE(help.find("Exit codes: 0 done"), std::string::npos);
}

TEST(Program, ExitCodeIsTheErrorCode) {
  EXPECT_EQ(run_effnet({"inspect", "no_such_network"}).code, 3);
  EXPECT_EQ(run_effnet({"export", "efficientnet_b0", "--onnx", "x.onnx"}).code, 4);
  EXPECT_EQ(run_effnet({"export", "efficientnet_b0", "--onnx", "x.onnx", "--opset", "17"}).messages,
            "effnet: error: export --onnx is not built yet (got --onnx, expected --pth or --safetensors)\n");
  EXPECT_EQ(run_effnet({"export", "efficientnet_b0", "--pth", "x.pth", "--opset", "17"}).code, 4);
  EXPECT_EQ(run_effnet({"export", "efficientnet_b0", "--onnx", "x.onnx", "--opset", "many"}).code, 2);
  EXPECT_EQ(run_effnet({"export", "efficientnet_b0"}).code, 2);
}

TEST(Program, APathThatTheSystemRefusesIsWrongInput) {
  const std::string long_name(300, 'a');
  EXPECT_EQ(run_effnet({"report", long_name}).code, 3);
  EXPECT_EQ(run_effnet({"report", long_name}).messages,
            fmt::format("effnet: error: {}/config.toml: cannot read (File name too long)\n", long_name));
  EXPECT_EQ(run_effnet({"report", "run", "--data", long_name}).messages,
            fmt::format("effnet: error: {}: cannot read (File name too long)\n", long_name));
  const TemporaryFolder folder(std::filesystem::temp_directory_path());
  const std::string loop = (folder.path() / "loop").string();
  std::filesystem::create_symlink("loop", loop);
  EXPECT_EQ(run_effnet({"report", loop}).code, 3);
}

TEST(Program, FailedWriteOfTheResultExits4) {
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  MemoryFile messages;
  Output out(full, messages.file);
  std::string program = "effnet", command = "models";
  char* arguments[] = {program.data(), command.data(), nullptr};
  EXPECT_EQ(run_program(2, arguments, effnet_program(), out), 4);
  EXPECT_EQ(messages.text(), "effnet: error: cannot write the result to stdout (No space left on device)\n");
  std::fclose(full);
}

Declare declare_faulty;
Body declare_faulty(CLI::App& command, const Globals& /*globals*/) {
  auto kind = std::make_shared<std::string>();
  command.add_option("KIND", *kind)->required();
  return [kind](Output& out) -> int {
    if (*kind == "memory") throw std::bad_alloc();
    if (*kind == "fault") throw std::runtime_error("a bug");
    if (*kind == "interrupted") throw Error(ErrorCode::interrupted, "stopped");
    out.warn("a warning");
    return 3;
  };
}

TEST(Program, ExitCodesOfOtherExceptions) {
  const Program program{.description = "", .commands = {{"faulty", "", declare_faulty}}, .planned = {}};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"effnet", "faulty"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    CapturedOutput captured;
    const int code = run_program(static_cast<int>(words.size()), arguments.data(), program, captured.out);
    return std::pair(code, captured.messages.text());
  };
  EXPECT_EQ(run({"memory"}),
            std::pair(4, std::string("effnet: error: out of memory (expected enough for the network and one "
                                     "image)\n")));
  EXPECT_EQ(run({"fault"}), std::pair(1, std::string("effnet: error: a bug\nhint: this is a fault of effnet; please "
                                                     "report the command\n")));
  EXPECT_EQ(run({"interrupted"}), std::pair(130, std::string("effnet: error: stopped\n")));
  EXPECT_EQ(run({"none"}), std::pair(3, std::string("effnet: warning: a warning\n")));
  EXPECT_EQ(run({"none", "--quiet"}), std::pair(3, std::string()));
}

TEST(Program, Threads) {
  ::unsetenv("EFFNET_THREADS");
  EXPECT_EQ(thread_count({}), usable_cores());
  EXPECT_EQ(thread_counts({.threads = {3, 5}}), (std::vector{3, 5}));
  ::setenv("EFFNET_THREADS", "7", 1);
  EXPECT_EQ(thread_count({}), 7);
  EXPECT_EQ(thread_count({.threads = {2}}), 2);
  ::setenv("EFFNET_THREADS", "many", 1);
  EXPECT_EQ(refusal([] { thread_count({}); }),
            "2 EFFNET_THREADS: wrong value (got 'many', expected a whole number from 1 to 1024)");
  ::unsetenv("EFFNET_THREADS");
}

}  // namespace
}  // namespace effnet::cli
