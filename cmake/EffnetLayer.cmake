# effnet_layer(NAME [USES layer...] [LIBRARIES target...])
#
# Makes a library `effnet_NAME` from the .cc files of one folder of effnet/ and its sub-folders. Special file names:
#   *_test.cc  -> one test program effnet_NAME_test; in ctest each case has the label NAME, or the label `slow` if it
#                 runs whole named networks (test suites NamedModel...)
#   *_bench.cc -> one program each, built with the tests and run by hand
#   main.cc    -> skipped: the folder's CMakeLists.txt makes a program from it
#   *_fuzz.cc  -> one libFuzzer program each (EFFNET_FUZZ); otherwise a ctest that replays tests/fuzz/corpus/STEM
# Files are found by pattern, so that no test can be forgotten.
#
# The target `effnet_checks` builds only the programs that ctest or tools/fuzz runs. Sanitizer builds use it to skip all
# other programs.
add_custom_target(effnet_checks)

function(effnet_layer name)
  cmake_parse_arguments(LAYER "" "" "USES;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc */*.cc)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "(/main|_(test|bench|fuzz))\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(TRANSFORM LAYER_USES PREPEND effnet_)

  add_library(effnet_${name} STATIC ${sources})
  target_include_directories(effnet_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(effnet_${name} PUBLIC ${LAYER_USES} fmt::fmt PRIVATE ${LAYER_LIBRARIES})

  if(EFFNET_TESTS AND tests)
    add_executable(effnet_${name}_test ${tests})
    target_link_libraries(effnet_${name}_test PRIVATE effnet_${name} ${LAYER_LIBRARIES} GTest::gtest_main GTest::gmock)
    target_compile_definitions(effnet_${name}_test PRIVATE EFFNET_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # The library under test keeps the optimisation level of the build. A test compiles quickly instead: with sanitizers
    # in half of the time without optimisation (GCC 12, dataset_test.cc: 8.3 s instead of 16.7 s).
    set(test_level -O1)
    if(EFFNET_SANITIZE)
      set(test_level -O0)
    endif()
    target_compile_options(effnet_${name}_test PRIVATE ${test_level})
    add_dependencies(effnet_checks effnet_${name}_test)
    gtest_discover_tests(effnet_${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
      TEST_FILTER "-*NamedModel*" PROPERTIES LABELS ${name} TIMEOUT 300)
    gtest_discover_tests(effnet_${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
      TEST_FILTER "*NamedModel*" TEST_LIST effnet_${name}_slow PROPERTIES LABELS slow TIMEOUT 900)
  endif()

  if(EFFNET_TESTS)
    foreach(source ${benches})
      get_filename_component(stem ${source} NAME_WE)
      add_executable(${stem} ${source})
      target_link_libraries(${stem} PRIVATE effnet_${name} ${LAYER_LIBRARIES})
      target_compile_definitions(${stem} PRIVATE EFFNET_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    endforeach()
  endif()

  foreach(source ${fuzzers})
    get_filename_component(stem ${source} NAME_WE)
    set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${stem})
    if(EFFNET_FUZZ)
      add_executable(${stem} ${source})
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      add_dependencies(effnet_checks ${stem})
    elseif(EFFNET_TESTS)
      add_executable(${stem} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
      add_dependencies(effnet_checks ${stem})
      add_test(NAME ${name}.${stem} COMMAND ${stem} ${corpus})
    endif()
    if(TARGET ${stem})
      target_link_libraries(${stem} PRIVATE effnet_${name} ${LAYER_LIBRARIES})
    endif()
  endforeach()
endfunction()
