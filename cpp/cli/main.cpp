#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

#include "bars/error.hpp"
#include "bars/suggest.hpp"
#include "cli/model.hpp"
#include "cli/several.hpp"
#include "cli/verbs.hpp"
#include "cli/version.hpp"

namespace sentio::cli {
namespace {

enum ExitCode { kDone = 0, kFailed = 1, kWrongUsage = 2, kBadInput = 3, kBadArtifact = 4 };

int fail(ExitCode code, std::string message) {
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  std::cerr << "sentio_cli: " << message << '\n';
  return code;
}

ExitCode code_of(const std::exception& error) {
  if (is_artifact_error(error)) return kBadArtifact;
  if (dynamic_cast<const InputError*>(&error) != nullptr) return kBadInput;
  if (dynamic_cast<const std::invalid_argument*>(&error) != nullptr) return kWrongUsage;
  return kFailed;
}

/// A line per symbol; the code is that of the first.
int fail(const SymbolErrors& symbols) {
  std::optional<ExitCode> code;
  for (const auto& [symbol, cause] : symbols.errors()) {
    try {
      std::rethrow_exception(cause);
    } catch (const std::exception& error) {
      fail(code_of(error), symbol + ": " + error.what());
      if (!code) code = code_of(error);
    }
  }
  return code.value_or(kFailed);
}

/// The part of the command line that the user was in: the verb, or the program before a verb.
const CLI::App& current(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return verbs.empty() ? app : *verbs.front();
}

/// "unknown option '--dayz'; did you mean '--days'?"
std::string unknown_word(const CLI::App& app) {
  const CLI::App& place = current(app);
  const std::string word = app.remaining(true).front();
  std::vector<std::string> known;
  if (!word.starts_with('-')) {
    for (const CLI::App* verb : place.get_subcommands([](const CLI::App*) { return true; })) {
      if (!verb->get_name().empty()) known.push_back(verb->get_name());
    }
    if (known.empty()) return "unexpected argument '" + word + "'";
    return "unknown verb '" + word + "'" + did_you_mean(word, known);
  }
  const auto collect = [&](const CLI::App& holder) {
    for (const CLI::Option* option : holder.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  };
  collect(place);
  for (const CLI::App* group : place.get_subcommands([](const CLI::App* a) { return a->get_name().empty(); })) {
    collect(*group);
  }
  return "unknown option '" + word + "'" + did_you_mean(word.substr(0, word.find('=')), known);
}

std::string advice(const CLI::App& app) {
  const CLI::App& place = current(app);
  return "; see sentio_cli " + (&place == &app ? "" : place.get_name() + " ") + "--help";
}

int run(int argc, char** argv) {
  CLI::App app("Sentio: trading models and rules on bars, measured honestly", "sentio_cli");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "sentio_cli " + program_version());
  for (const auto add :
       {add_tpa_test, add_backtest, add_audit, add_features, add_stream, add_inspect, add_check, add_list})
    add(app);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) return fail(kWrongUsage, "a verb is needed" + advice(app));
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ExtrasError&) {
    return fail(kWrongUsage, unknown_word(app) + advice(app));
  } catch (const CLI::ParseError& error) {
    return fail(kWrongUsage, error.what() + advice(app));
  } catch (const SymbolErrors& symbols) {
    return fail(symbols);
  } catch (const std::exception& error) {
    return fail(code_of(error), error.what());
  }
  if (!std::cout.flush()) return fail(kFailed, "stdout: cannot be written");
  return kDone;
}

}  // namespace
}  // namespace sentio::cli

int main(int argc, char** argv) { return sentio::cli::run(argc, argv); }
