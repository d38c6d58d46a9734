# Of libalexnet_cuda.so, and of its test on the host. Few .cu files: each costs
# nvcc some seconds for every architecture.
set(ALEXNET_CUDA_SOURCES
  conv_direct.cu
  conv_pass.cc
  cuda_engine.cc
  elementwise.cu
  input.cu
  input_blocks.cc
  input_tables.cc
  kernel_plan.cc
  library.cc
  matmul.cc
  network.cc
  network_plan.cc
  parameter_place.cc
  pool_norm.cu
  step_io.cc
  update.cu)
