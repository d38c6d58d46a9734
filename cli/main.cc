// SPDX-License-Identifier: MIT
// The program: finds the verb, runs it, turns what went wrong into a message
// and an exit code. 0 done, 1 the job failed, 2 the command line made no
// sense, 130 and 143 ended by a signal.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <new>

#include "alexnet/error.h"
#include "output.h"
#include "suggest.h"
#include "verbs.h"

namespace alexnet::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Verb {
  const char* name;
  const char* help;
  Action (*add)(CLI::App&);
};

constexpr std::array kVerbs = {
    Verb{"run", "the whole job: load or train, draw the loss, test", AddRun},
    Verb{"train", "train, with every option there is", AddTrain},
    Verb{"eval", "how well a weight file does on the test images", AddEval},
    Verb{"predict", "what is in these pictures?", AddPredict},
    Verb{"show", "a batch as the network sees it, as a picture", AddShow},
    Verb{"plot", "the loss curve of a run", AddPlot},
    Verb{"recipe", "what a named set of options says", AddRecipe},
    Verb{"info", "a network layer by layer", AddInfo},
    Verb{"convert", "weight files from one format to the other", AddConvert},
    Verb{"data", "what the images of a data set are like", AddData},
    Verb{"bench", "how fast a step is on this machine", AddBench},
};

class CommandLine {
 public:
  CommandLine() : app_("AlexNet: train it, test it, use it.", "alexnet") {
    app_.set_version_flag("--version", "alexnet " ALEXNET_VERSION);
    app_.require_subcommand(0, 1);
    // What is left over is looked at here, to suggest what was meant.
    app_.allow_extras();
    app_.footer("alexnet VERB --help tells more about each.");
    for (const Verb& verb : kVerbs) {
      CLI::App* sub = app_.add_subcommand(verb.name, verb.help);
      sub->allow_extras();
      actions_[sub] = verb.add(*sub);
    }
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      // --help and --version come this way too.
      if (error.get_exit_code() == 0) return app_.exit(error);
      throw UsageError(error.what());
    }
    if (app_.get_subcommands().empty()) RefuseMissingVerb();
    CLI::App* verb = app_.get_subcommands().front();
    RefuseLeftovers(*verb);
    return actions_.at(verb)();
  }

 private:
  static std::string DidYouMean(const std::string& nearest) {
    return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
  }

  [[noreturn]] void RefuseMissingVerb() {
    const std::vector<std::string> words = app_.remaining();
    if (words.empty()) {
      throw UsageError("expected a verb; alexnet --help lists them");
    }
    std::vector<std::string> names;
    for (const Verb& verb : kVerbs) names.emplace_back(verb.name);
    throw UsageError(fmt::format("{}: unknown {}{}", words[0],
                                 words[0][0] == '-' ? "option" : "verb",
                                 DidYouMean(Nearest(words[0], names))));
  }

  static void RefuseLeftovers(const CLI::App& verb) {
    const std::vector<std::string> words = verb.remaining();
    for (const std::string& word : words) {
      if (word.size() < 2 || word[0] != '-') continue;
      const std::string name = word.substr(0, word.find('='));
      throw UsageError(
          fmt::format("{}: unknown option {}{}", verb.get_name(), name,
                      DidYouMean(Nearest(name, OptionNames(verb)))));
    }
    if (!words.empty()) {
      throw UsageError(
          fmt::format("{}: unexpected argument {}", verb.get_name(), words[0]));
    }
  }

  static std::vector<std::string> OptionNames(const CLI::App& verb) {
    std::vector<std::string> names;
    for (const CLI::Option* option : verb.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
    return names;
  }

  CLI::App app_;
  std::map<CLI::App*, Action> actions_;
};

int Fail(const char* what, int exit_code) {
  std::fflush(stdout);
  fmt::print(stderr, "alexnet: {}\n", what);
  return exit_code;
}

int Main(int argc, char** argv) {
  // A reader that has gone away must not end a training run, and a limit on
  // the size of files is to be reported like a full disk.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (!IsTerminal()) std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  try {
    const int exit_code = CommandLine().Run(argc, argv);
    FinishOutput();
    return exit_code;
  } catch (const UsageError& error) {
    return Fail(error.what(), kUsage);
  } catch (const std::bad_alloc&) {
    return Fail("out of memory; a smaller --batch-size needs less", kFailed);
  } catch (const std::exception& error) {
    return Fail(error.what(), kFailed);
  }
}

}  // namespace
}  // namespace alexnet::cli

int main(int argc, char** argv) { return alexnet::cli::Main(argc, argv); }
