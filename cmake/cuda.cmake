# ALEXNET_HAS_CUDA: whether the CUDA engine is built; with the core alone only
# if it is asked for. cuDNN and cuBLAS are
# looked for where the toolkit is, in ALEXNET_CUDA_LIBRARIES (by default where
# scripts/install-cuda-libraries puts them), in the system's folders.
set(ALEXNET_HAS_CUDA FALSE)
if(ALEXNET_CUDA STREQUAL "OFF" OR
   (ALEXNET_CORE_ONLY AND NOT ALEXNET_CUDA STREQUAL "ON"))
  return()
endif()

set(ALEXNET_CUDA_LIBRARIES /opt/alexnet-cuda CACHE PATH
  "Folder with nvidia/cudnn and nvidia/cu13, as in NVIDIA's Python packages")
set(missing "")
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  list(APPEND missing "nvcc")
endif()

set(cuda_hints ${ALEXNET_CUDA_LIBRARIES}/nvidia/cudnn
  ${ALEXNET_CUDA_LIBRARIES}/nvidia/cu13 /usr/local/cuda)
foreach(name IN ITEMS cudnn cublasLt)
  find_path(ALEXNET_${name}_INCLUDE NAMES ${name}.h HINTS ${cuda_hints}
    PATH_SUFFIXES include)
  # The Python packages have no unversioned names.
  find_library(ALEXNET_${name} HINTS ${cuda_hints}
    NAMES ${name} lib${name}.so.9 lib${name}.so.13
    PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu)
  if(NOT ALEXNET_${name}_INCLUDE OR NOT ALEXNET_${name})
    list(APPEND missing "${name}")
  endif()
endforeach()

list(JOIN missing ", " missing)
if(missing AND ALEXNET_CUDA STREQUAL "ON")
  message(FATAL_ERROR "ALEXNET_CUDA=ON: not found: ${missing} "
    "(scripts/install-cuda-libraries installs cuDNN and cuBLAS)")
elseif(missing)
  message(STATUS "CUDA engine: no (not found: ${missing})")
else()
  message(STATUS "CUDA engine: yes (${ALEXNET_cudnn})")
  set(ALEXNET_HAS_CUDA TRUE)
endif()
