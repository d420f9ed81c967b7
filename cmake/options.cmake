# Warnings and sanitizers as INTERFACE targets, linked PRIVATE by our own targets, so that they do not apply to libraries.
add_library(cooldown_options INTERFACE)
target_compile_features(cooldown_options INTERFACE cxx_std_20)
target_include_directories(cooldown_options INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_options(
  cooldown_options
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wsign-conversion
            -Wnon-virtual-dtor
            -Wold-style-cast
            -Woverloaded-virtual
            $<$<BOOL:${COOLDOWN_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Bogus in GCC 12 with std::string at -O3 and in inlined coroutine frames (docs/decisions/002).
  target_compile_options(cooldown_options INTERFACE -Wno-restrict -Wno-mismatched-new-delete)
endif()

# Must have the same value in every translation unit (one-definition rule).
add_compile_definitions(
  COOLDOWN_VERSION="${PROJECT_VERSION}"
  BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED
  BOOST_BEAST_SEPARATE_COMPILATION
  # Beast 1.81 has assertions that a peer's bytes can fail (docs/decisions/002); no peer may end the process.
  BOOST_DISABLE_ASSERTS
  SPDLOG_FMT_EXTERNAL)

if(COOLDOWN_SANITIZE)
  add_compile_options(-fsanitize=${COOLDOWN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${COOLDOWN_SANITIZE})
  if(COOLDOWN_SANITIZE MATCHES "undefined")
    # The check of vtable pointers uses a pipe: it reports every object as invalid once descriptors run out, which some
    # tests provoke.
    add_compile_options(-fno-sanitize-recover=undefined -fno-sanitize=vptr)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      # Clang 14 cannot assemble its prologue data together with coroutines ("difference across sections").
      add_compile_options(-fno-sanitize=function)
    endif()
  endif()
  # Without these, recycled coroutine frames hide every dangling reference from ASan.
  add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING
                          _GLIBCXX_ASSERTIONS)
endif()

if(COOLDOWN_FUZZ)
  # libFuzzer's coverage in all our code; only the fuzz targets link its main().
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
if(COOLDOWN_TIDY)
  set(CMAKE_CXX_CLANG_TIDY clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option)
endif()
