# cooldown-proxy and cerebras-sim linked once more, from the same objects, so that they need nothing but the C library (scripts/release).
# Debian has no archives of some libraries: they are built from its sources, COOLDOWN_SOURCES/NAME-VERSION.
set(archives)

# Adds one that is built. Its warnings are not ours.
function(cooldown_add_archive name)
  file(GLOB sources ${ARGN})
  add_library(${name}-archive STATIC EXCLUDE_FROM_ALL ${sources})
  target_compile_options(${name}-archive PRIVATE -w)
  set(archives ${archives} ${name}-archive PARENT_SCOPE)
endfunction()

cooldown_add_archive(spdlog ${COOLDOWN_SOURCES}/spdlog-*/src/*.cpp)
target_compile_definitions(spdlog-archive PRIVATE SPDLOG_COMPILED_LIB)
set_target_properties(spdlog-archive PROPERTIES UNITY_BUILD ON) # its files share most of what they include
cooldown_add_archive(fmt ${COOLDOWN_SOURCES}/fmtlib-*/src/format.cc ${COOLDOWN_SOURCES}/fmtlib-*/src/os.cc)
cooldown_add_archive(simdjson ${COOLDOWN_SOURCES}/simdjson-*/singleheader/simdjson.cpp)
cooldown_add_archive(prometheus ${COOLDOWN_SOURCES}/prometheus-cpp-*/core/src/*.cc
                     ${COOLDOWN_SOURCES}/prometheus-cpp-*/core/src/detail/*.cc)
foreach(name libyaml-cpp libsqlite3 libssl libcrypto libz)
  find_library(${name}_archive ${name}.a REQUIRED)
  list(APPEND archives ${${name}_archive})
endforeach()

# Built as C++, its operator new throws when memory is out.
file(GLOB mimalloc ${COOLDOWN_SOURCES}/mimalloc-*)
add_library(mimalloc-archive STATIC EXCLUDE_FROM_ALL ${mimalloc}/src/static.c)
set_source_files_properties(${mimalloc}/src/static.c PROPERTIES LANGUAGE CXX)
target_include_directories(mimalloc-archive PRIVATE ${mimalloc}/include)
target_compile_definitions(mimalloc-archive PRIVATE MI_MALLOC_OVERRIDE MI_STATIC_LIB)
target_compile_options(mimalloc-archive PRIVATE -w -fno-builtin-malloc -ftls-model=initial-exec)

function(cooldown_link_alone program)
  add_executable(${program}-alone EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${program}>)
  add_dependencies(${program}-alone ${program})
  set_target_properties(${program}-alone PROPERTIES OUTPUT_NAME ${program} LINKER_LANGUAGE CXX
                                                    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/alone)
  # Their files, without the shared libraries that the layers ask for.
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_FILE:cooldown_\\1>" OUTPUT_VARIABLE layers)
  target_link_libraries(${program}-alone PRIVATE -static-libstdc++ -static-libgcc -Wl,--start-group ${layers} ${archives} -Wl,--end-group)
endfunction()

set(shared_layers text http config asio)
cooldown_link_alone(cooldown-proxy ${shared_layers} limit dialect exchange schedule observe state net)
target_link_libraries(cooldown-proxy-alone PRIVATE mimalloc-archive)
cooldown_link_alone(cerebras-sim ${shared_layers} limit dialect schedule sim sim_server provider_file)
