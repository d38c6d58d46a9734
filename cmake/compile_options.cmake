# Options that every target of ours is compiled with.
function(alexnet_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion
    $<$<BOOL:${ALEXNET_WERROR}>:-Werror>)
  if(ALEXNET_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${ALEXNET_SANITIZE}
      -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${ALEXNET_SANITIZE})
  endif()
endfunction()

# With the sanitizers a target takes long to compile; what its own files compute
# is little.
function(alexnet_compile_quickly target)
  if(ALEXNET_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# alexnet_precompile_headers(target <a> <b>): with the sanitizers only. Of what is
# inlined from a precompiled header GCC 12 forgets that it is the system's, and
# optimizing it gives warnings that are wrong.
function(alexnet_precompile_headers target)
  if(ALEXNET_SANITIZE)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()
