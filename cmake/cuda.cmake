# ALEXNET_HAS_CUDA: whether the CUDA engine is built; with the core alone only
# if it is asked for. cuDNN and cuBLAS are looked for where the toolkit is, in
# ALEXNET_CUDA_LIBRARIES (by default where scripts/install-cuda-libraries puts
# them), in the system's folders.
set(ALEXNET_HAS_CUDA FALSE)
if(ALEXNET_CUDA STREQUAL "OFF" OR
   (ALEXNET_CORE_ONLY AND NOT ALEXNET_CUDA STREQUAL "ON"))
  return()
endif()

set(ALEXNET_CUDA_LIBRARIES /opt/alexnet-cuda CACHE PATH
  "Folder with nvidia/cudnn and nvidia/cu13, as in NVIDIA's Python packages")
set(problems "")

# Adds to `problems` unless the first number after `pattern` in `text` is the
# major version that this engine is written for.
function(alexnet_check_major name text pattern wanted)
  if(NOT text MATCHES "${pattern}([0-9]+)")
    list(APPEND problems "${name}: its version cannot be told, needed is ${wanted}")
  elseif(NOT CMAKE_MATCH_1 EQUAL wanted)
    list(APPEND problems "${name} is of version ${CMAKE_MATCH_1}, needed is ${wanted}")
  endif()
  set(problems "${problems}" PARENT_SCOPE)
endfunction()

include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version
    OUTPUT_VARIABLE text ERROR_QUIET)
  alexnet_check_major(nvcc "${text}" "release " 13)
else()
  list(APPEND problems "nvcc is not found")
endif()

set(cuda_hints ${ALEXNET_CUDA_LIBRARIES}/nvidia/cudnn
  ${ALEXNET_CUDA_LIBRARIES}/nvidia/cu13 /usr/local/cuda)
# Each library with the header and the macro that tell its version.
foreach(entry IN ITEMS "cudnn cudnn_version.h CUDNN_MAJOR 9"
    "cublasLt cublas_api.h CUBLAS_VER_MAJOR 13")
  separate_arguments(entry)
  list(GET entry 0 name)
  list(GET entry 1 header)
  list(GET entry 2 macro)
  list(GET entry 3 wanted)
  find_path(ALEXNET_${name}_INCLUDE NAMES ${name}.h HINTS ${cuda_hints}
    PATH_SUFFIXES include)
  # The Python packages have no unversioned names.
  find_library(ALEXNET_${name} NAMES_PER_DIR HINTS ${cuda_hints}
    NAMES ${name} lib${name}.so.${wanted}
    PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu)
  if(NOT ALEXNET_${name}_INCLUDE OR NOT ALEXNET_${name})
    list(APPEND problems "${name} is not found")
    continue()
  endif()
  set(text "")
  if(EXISTS ${ALEXNET_${name}_INCLUDE}/${header})
    file(STRINGS ${ALEXNET_${name}_INCLUDE}/${header} text
      REGEX "define ${macro}")
  endif()
  alexnet_check_major(${name} "${text}" "define ${macro} +" ${wanted})
endforeach()

list(JOIN problems "; " problems)
if(problems AND ALEXNET_CUDA STREQUAL "ON")
  message(FATAL_ERROR "ALEXNET_CUDA=ON: ${problems} "
    "(scripts/install-cuda-libraries installs cuDNN and cuBLAS)")
elseif(problems)
  message(STATUS "CUDA engine: no (${problems})")
else()
  message(STATUS "CUDA engine: yes (${ALEXNET_cudnn})")
  set(ALEXNET_HAS_CUDA TRUE)
endif()
