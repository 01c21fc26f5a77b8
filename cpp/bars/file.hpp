#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sentio {

/// The whole content of a file. @throws InputError "path: what is wrong".
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Writes a file beside its final place and renames it, so that it is never half there.
/// @throws std::runtime_error "path: what is wrong".
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace sentio
