# LibTorch for the layers nn, train and cli_train: Debian's 1.13, or a 2.x whose folder is in CMAKE_PREFIX_PATH.
#
# The target effnet_torch has the include folders, the libraries and the precompiled headers that most files include. A
# target uses it with effnet_uses_torch(target). torch/torch.h is not included anywhere: it also declares optimisers,
# data loaders and layers, and reading it, even precompiled, takes 3.5 s longer in each file.
#
# EFFNET_TORCH_WHEEL: the folder `torch` of a PyPI wheel, used without the CMake files in it, because those of a CUDA
# wheel require nvcc even if nothing is compiled for a GPU. The wheel's fmt headers, whose version differs from Debian's
# library, are found first.
set(EFFNET_TORCH_WHEEL "" CACHE PATH "The folder of PyPI's torch, instead of find_package(Torch)")
if(EFFNET_TORCH_WHEEL)
  set(TORCH_INSTALL_PREFIX ${EFFNET_TORCH_WHEEL})
  add_library(torch INTERFACE IMPORTED)
  target_include_directories(torch SYSTEM INTERFACE ${EFFNET_TORCH_WHEEL}/include
    ${EFFNET_TORCH_WHEEL}/include/torch/csrc/api/include)
  target_link_libraries(torch INTERFACE ${EFFNET_TORCH_WHEEL}/lib/libtorch_cpu.so ${EFFNET_TORCH_WHEEL}/lib/libc10.so)
  target_link_options(torch INTERFACE -Wl,--allow-shlib-undefined -Wl,-rpath,${EFFNET_TORCH_WHEEL}/lib)
  target_compile_definitions(torch INTERFACE FMT_HEADER_ONLY)
  if(EXISTS ${EFFNET_TORCH_WHEEL}/lib/libtorch_cuda.so)
    target_link_libraries(torch INTERFACE -Wl,--no-as-needed ${EFFNET_TORCH_WHEEL}/lib/libtorch_cuda.so -Wl,--as-needed)
  endif()
  set(TORCH_LIBRARIES torch)
else()
  find_package(Torch REQUIRED)
endif()
find_path(EFFNET_GLOO gloo/context.h)
# For groups on GPUs: LibTorch for CUDA has ProcessGroupNCCL. Its header includes nccl.h, which is in a CUDA
# installation or in the nvidia-nccl wheel next to PyPI's torch.
if(TORCH_CUDA_LIBRARIES OR TARGET torch_cuda)
  find_path(EFFNET_NCCL nccl.h HINTS ${CUDA_TOOLKIT_ROOT_DIR}/include ${TORCH_INSTALL_PREFIX}/../nvidia/nccl/include)
endif()

set(stub ${CMAKE_BINARY_DIR}/torch_headers.cc)
file(CONFIGURE OUTPUT ${stub} CONTENT "// Only for the precompiled header.\n")
add_library(effnet_torch STATIC ${stub})
target_link_libraries(effnet_torch PUBLIC ${TORCH_LIBRARIES})
if(EFFNET_GLOO)
  target_compile_definitions(effnet_torch PUBLIC USE_C10D_GLOO)
endif()
if(EFFNET_NCCL)
  target_compile_definitions(effnet_torch PUBLIC USE_C10D_NCCL)
  target_include_directories(effnet_torch SYSTEM PUBLIC ${EFFNET_NCCL})
endif()
target_precompile_headers(effnet_torch PRIVATE <torch/autograd.h> <torch/nn/module.h> <torch/types.h> <torch/utils.h>)

function(effnet_uses_torch)
  foreach(target ${ARGN})
    if(TARGET ${target})
      target_link_libraries(${target} PRIVATE effnet_torch)
      target_precompile_headers(${target} REUSE_FROM effnet_torch)
      target_compile_options(${target} PRIVATE -fPIC)  # for programs too: the precompiled header requires it
    endif()
  endforeach()
endfunction()
