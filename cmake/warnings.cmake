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
