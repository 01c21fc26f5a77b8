# What `cmake --install` gives to C++ programs: find_package(sentio) and then sentio::inference, or any room below it.
include(CMakePackageConfigHelpers)

set(rooms bars features backtest strategies inference)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/sentio")
foreach(room ${rooms})
  set_target_properties(room_${room} PROPERTIES EXPORT_NAME ${room} OUTPUT_NAME sentio_${room})
  install(TARGETS room_${room} EXPORT sentio ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  # Below a folder of their own: names like bars/ and features/ are not ours alone.
  install(DIRECTORY cpp/${room} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/sentio" FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(EXPORT sentio NAMESPACE sentio:: FILE sentioTargets.cmake DESTINATION "${package}")

if(SENTIO_JSON_HEADERS)
  install(DIRECTORY "${SENTIO_JSON_HEADERS}/nlohmann" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/sentio")
endif()

configure_package_config_file(cmake/sentioConfig.cmake.in "${PROJECT_BINARY_DIR}/sentioConfig.cmake"
                              INSTALL_DESTINATION "${package}" PATH_VARS CMAKE_INSTALL_LIBDIR
                              NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/sentioConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/sentioConfig.cmake" "${PROJECT_BINARY_DIR}/sentioConfigVersion.cmake"
        DESTINATION "${package}")

file(RELATIVE_PATH to_libraries "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
set_target_properties(sentio_cli PROPERTIES
                      INSTALL_RPATH "$<IF:$<PLATFORM_ID:Darwin>,@loader_path,$ORIGIN>/${to_libraries}")
install(TARGETS sentio_cli)
if(SENTIO_TORCH)
  set_target_properties(sentio_torch PROPERTIES INSTALL_RPATH "${TORCH_INSTALL_PREFIX}/lib"
                                                INSTALL_RPATH_USE_LINK_PATH OFF)
  install(TARGETS sentio_torch DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
