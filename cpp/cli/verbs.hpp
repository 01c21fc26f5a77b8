#pragma once

#include <CLI/CLI.hpp>

namespace sentio::cli {

// Each adds its verb to the command line. The verb runs while the line is parsed, and throws what goes wrong.
void add_tpa_test(CLI::App& app);
void add_backtest(CLI::App& app);
void add_audit(CLI::App& app);
void add_features(CLI::App& app);
void add_stream(CLI::App& app);
void add_inspect(CLI::App& app);
void add_check(CLI::App& app);
void add_list(CLI::App& app);

}  // namespace sentio::cli
