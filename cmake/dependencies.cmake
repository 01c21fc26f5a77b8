# Libraries that are not ours: the system's package where there is one, else the pinned release.
include(FetchContent)

function(sentio_fetch name url hash)
  message(STATUS "${name}: no system package found, fetching ${url}")
  FetchContent_Declare(${name} URL ${url} URL_HASH SHA256=${hash} ${ARGN})
  FetchContent_MakeAvailable(${name})
endfunction()

find_package(ZLIB REQUIRED)

find_package(CLI11 QUIET)
if(NOT TARGET CLI11::CLI11)
  sentio_fetch(CLI11 https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.6.2.tar.gz
               c6ea6b2e5608b3ea8617999bd5f47420c71b2ebdb8dc4767c1034d1da5785711)
endif()

if(SENTIO_TESTS)
  find_package(doctest QUIET)
  if(NOT TARGET doctest::doctest)
    sentio_fetch(doctest https://github.com/doctest/doctest/archive/refs/tags/v2.4.12.tar.gz
                 73381c7aa4dee704bd935609668cf41880ea7f19fa0504a200e13b74999c2d70)
  endif()
endif()

if(SENTIO_TORCH OR SENTIO_PYTHON OR SENTIO_BENCHMARKS)
  set(components Interpreter)
  if(SENTIO_PYTHON OR SENTIO_BENCHMARKS)
    list(APPEND components Development.Module)
  endif()
  find_package(Python 3.10 REQUIRED COMPONENTS ${components})
else()
  find_package(Python 3.10 QUIET COMPONENTS Interpreter)
endif()

# What a Python package says of itself, or nothing where it is not installed.
function(sentio_ask_python result code)
  set(answer "")
  if(Python_EXECUTABLE)
    execute_process(COMMAND ${Python_EXECUTABLE} -c "${code}" OUTPUT_VARIABLE answer ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  set(${result} "${answer}" PARENT_SCOPE)
endfunction()

find_package(nlohmann_json 3.10 QUIET)
set(SENTIO_JSON nlohmann_json::nlohmann_json)
set(SENTIO_JSON_HEADERS "")
if(NOT TARGET nlohmann_json::nlohmann_json)
  # The PyPI package nlohmann-json carries the headers.
  sentio_ask_python(json_package "import nlohmann_json, os; print(os.path.dirname(nlohmann_json.__file__))")
  set(SENTIO_JSON_HEADERS "${json_package}/include")
  if(NOT EXISTS "${SENTIO_JSON_HEADERS}/nlohmann/json.hpp")
    sentio_fetch(nlohmann_json https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
                 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d SOURCE_SUBDIR include)
    FetchContent_GetProperties(nlohmann_json SOURCE_DIR json_source)
    set(SENTIO_JSON_HEADERS "${json_source}/include")
  endif()
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
  target_include_directories(nlohmann_json::nlohmann_json INTERFACE "${SENTIO_JSON_HEADERS}")
  # No package that programs could find in their turn: cmake/install.cmake puts the headers among Sentio's own.
  set(SENTIO_JSON $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
endif()

if(SENTIO_TORCH)
  # LibTorch comes with the torch wheel of the Python that is found.
  sentio_ask_python(torch_prefix "import torch; print(torch.utils.cmake_prefix_path)")
  if(NOT torch_prefix)
    message(FATAL_ERROR "torch is not installed for ${Python_EXECUTABLE}: install it, or set SENTIO_TORCH=OFF")
  endif()
  list(APPEND CMAKE_PREFIX_PATH "${torch_prefix}")
  find_package(Torch REQUIRED)
endif()

if(SENTIO_PYTHON OR SENTIO_BENCHMARKS)
  find_package(pybind11 CONFIG QUIET)
  if(NOT pybind11_FOUND)
    sentio_ask_python(pybind11_DIR "import pybind11; print(pybind11.get_cmake_dir())")
    find_package(pybind11 CONFIG REQUIRED)
  endif()
endif()

if(SENTIO_BENCHMARKS)
  sentio_ask_python(nanobind_DIR "import nanobind; print(nanobind.cmake_dir())")
  find_package(nanobind CONFIG REQUIRED)

  find_package(benchmark QUIET)
  if(NOT TARGET benchmark::benchmark)
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    sentio_fetch(benchmark https://github.com/google/benchmark/archive/refs/tags/v1.8.3.tar.gz
                 6bc180a57d23d4d9515519f92b0c83d61b05b5bab188961f36ac7b06b0d9e9ce)
  endif()
endif()
