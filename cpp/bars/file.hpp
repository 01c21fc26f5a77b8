#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace sentio {

/// The whole content of a file. @throws InputError "path: what is wrong".
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Writes a file beside its final place and renames it, so that it is never half there.
/// @throws std::runtime_error "path: what is wrong".
void write_file(const std::filesystem::path& path, std::string_view content);

/// The same, and on disk before it returns: what is there after a power cut is the old content or the new.
void write_file_durably(const std::filesystem::path& path, std::span<const std::byte> content);

}  // namespace sentio
