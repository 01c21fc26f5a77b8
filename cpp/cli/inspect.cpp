#include <iostream>
#include <memory>
#include <string>

#include "cli/model.hpp"
#include "cli/verbs.hpp"

namespace sentio::cli {

void add_inspect(CLI::App& app) {
  auto* verb = app.add_subcommand("inspect", "Verifies a trained model and says what it is");
  auto folder = std::make_shared<std::string>();
  verb->add_option("artifact", *folder, "The folder, such as artifacts/TFA/v1")->required();
  verb->callback([folder] { std::cout << describe_artifact(*folder); });
}

}  // namespace sentio::cli
