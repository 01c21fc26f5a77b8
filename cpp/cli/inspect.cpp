#include <iostream>
#include <memory>
#include <string>

#include "cli/model.hpp"
#include "cli/verbs.hpp"

namespace sentio::cli {
namespace {

struct Arguments {
  std::string folder;
  ModelArguments run_by;
};

}  // namespace

void add_inspect(CLI::App& app) {
  auto* verb = app.add_subcommand("inspect", "Verifies a trained model and says what it is");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("artifact", arguments->folder, "The folder, such as artifacts/TFA/v1")->required();
  add_model_options(*verb, arguments->run_by);
  verb->callback([arguments] { std::cout << describe_artifact(arguments->folder, arguments->run_by.options()); });
}

}  // namespace sentio::cli
