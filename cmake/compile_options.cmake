# Options that every target of ours is compiled with.
function(alexnet_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion
    $<$<BOOL:${ALEXNET_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # What GCC does not warn of: signs that change without a cast, `omp simd`
    # loops that the sanitizers keep from becoming vectors, and functions that
    # GCC's library deprecates and calls itself.
    target_compile_options(${target} PRIVATE
      -Wno-sign-conversion -Wno-pass-failed -Wno-deprecated-declarations)
  endif()
  if(ALEXNET_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${ALEXNET_SANITIZE}
      -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${ALEXNET_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang"
       AND ALEXNET_SANITIZE MATCHES "(^|,)address")
      # As GCC says it; Clang 19 says it another way.
      target_compile_definitions(${target} PUBLIC __SANITIZE_ADDRESS__)
    endif()
  endif()
endfunction()

# A target whose own files compute little and take long to compile, with the
# sanitizers longest. Not -O0 in what is released: of a function that the library
# has too, the linker may keep this one.
function(alexnet_compile_quickly target)
  if(ALEXNET_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# The same for files of the library, with the sanitizers only.
function(alexnet_quick_sources)
  target_sources(alexnet PRIVATE ${ARGN})
  if(ALEXNET_SANITIZE)
    set_property(SOURCE ${ARGN} TARGET_DIRECTORY alexnet
                 APPEND PROPERTY COMPILE_OPTIONS -O0)
  endif()
endfunction()
