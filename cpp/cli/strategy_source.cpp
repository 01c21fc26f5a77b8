#include "cli/strategy_source.hpp"

#include <stdexcept>

#include "bars/number.hpp"
#include "bars/suggest.hpp"
#include "cli/model.hpp"
#include "strategies/registry.hpp"

namespace sentio::cli {
namespace {

constexpr const char* kModelStrategy = "tfa";

std::string param_text(const StrategyParam& param) {
  std::string text = param.name + "=" + value_text(param, param.fallback);
  if (param.kind == StrategyParam::Kind::choice) {
    text += " (" + allowed(param) + ")";
  } else if (param.kind != StrategyParam::Kind::flag) {
    text += " (" + format_number(param.min) + ".." + format_number(param.max) + ")";
  }
  return text + " " + param.meaning;
}

}  // namespace

ModelOptions ModelArguments::options() const {
  const ModelOptions options{.backend = parse_backend(backend), .device = device, .threads = threads};
  require_valid(options);
  return options;
}

void add_model_options(CLI::App& verb, ModelArguments& a) {
  verb.add_option("--backend", a.backend,
                  "What runs a model: native, torch, or auto: native where the artifact has its graph, else torch")
      ->capture_default_str();
  verb.add_option("--device", a.device, "Where LibTorch runs a model: cpu, cuda, cuda:0, ...")->capture_default_str();
  verb.add_option("--threads", a.threads, "Threads of a model's forward pass")->capture_default_str();
}

void add_strategy_options(CLI::App& verb, StrategyArguments& a) {
  verb.add_option("--strategy", a.strategy, "tfa for a trained model, or a rule (see list strategies)")->required();
  verb.add_option("--params", a.params, "Params of a rule: name=value,name=value");
  verb.add_option("--artifacts", a.artifacts, "Folder of trained models")->capture_default_str();
  verb.add_option("--model", a.model, "Which model in it")->capture_default_str();
  verb.add_option("--version", a.version, "Which version of the model")->capture_default_str();
  add_model_options(verb, a.run_by);
}

ReadyStrategy make_strategy(const StrategyArguments& arguments) {
  if (arguments.strategy == kModelStrategy) {
    if (!arguments.params.empty()) {
      throw std::invalid_argument("tfa takes no params, its rule stands in the artifact; found '" + arguments.params +
                                  "'");
    }
    return load_model(arguments);
  }
  const StrategyRow* const row = find_strategy(arguments.strategy);
  if (row == nullptr) {
    std::vector<std::string> known = strategy_names();
    known.emplace_back(kModelStrategy);
    throw std::invalid_argument("unknown strategy '" + arguments.strategy + "'" +
                                did_you_mean(arguments.strategy, known));
  }
  if (arguments.run_by != ModelArguments{})
    throw std::invalid_argument("--backend, --device and --threads go with a model, '" + row->name + "' is a rule");
  const StrategyParams params = parse_params(*row, arguments.params);
  ReadyStrategy ready;
  ready.strategy = row->make(params);
  ready.another = [row, params] { return row->make(params); };
  ready.label = label_of(*row, params);
  ready.identity = {{"name", row->name}, {"params", params_json(*row, params)}};
  ready.fingerprint = ready.identity;
  return ready;
}

std::vector<StrategyListing> list_strategies() {
  std::vector<StrategyListing> list;
  for (const StrategyRow& row : strategies()) {
    StrategyListing listing{row.name, "", row.description};
    for (const StrategyParam& param : row.params) {
      listing.params += (listing.params.empty() ? "" : "; ") + param_text(param);
    }
    list.push_back(std::move(listing));
  }
  list.push_back(
      {kModelStrategy, "", "A trained model: artifacts/<model>/<version>, its features and its decision rule."});
  return list;
}

}  // namespace sentio::cli
