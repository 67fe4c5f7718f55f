# LibTorch for the layers nn, train and cli_train: Debian's 1.13, or a 2.x whose folder is in CMAKE_PREFIX_PATH.
#
# effnet_torch carries include folders, libraries and one precompiled torch/torch.h (37 s once, then 6 s a file instead
# of 30). Layers take it by effnet_uses_torch(target).
find_package(Torch REQUIRED)
find_path(EFFNET_GLOO gloo/context.h)
# Groups on GPUs: a LibTorch for CUDA has ProcessGroupNCCL; its header wants nccl.h (a CUDA installation's, or the
# nvidia-nccl wheel's beside PyPI's torch).
if(TORCH_CUDA_LIBRARIES OR TARGET torch_cuda)
  find_path(EFFNET_NCCL nccl.h HINTS ${CUDA_TOOLKIT_ROOT_DIR}/include ${TORCH_INSTALL_PREFIX}/../nvidia/nccl/include)
endif()

set(stub ${CMAKE_BINARY_DIR}/torch_headers.cc)
file(CONFIGURE OUTPUT ${stub} CONTENT "// Nothing but the precompiled header.\n")
add_library(effnet_torch STATIC ${stub})
target_link_libraries(effnet_torch PUBLIC ${TORCH_LIBRARIES})
if(EFFNET_GLOO)
  target_compile_definitions(effnet_torch PUBLIC USE_C10D_GLOO)
endif()
if(EFFNET_NCCL)
  target_compile_definitions(effnet_torch PUBLIC USE_C10D_NCCL)
  target_include_directories(effnet_torch SYSTEM PUBLIC ${EFFNET_NCCL})
endif()
target_precompile_headers(effnet_torch PRIVATE <torch/torch.h>)

function(effnet_uses_torch)
  foreach(target ${ARGN})
    if(TARGET ${target})
      target_link_libraries(${target} PRIVATE effnet_torch)
      target_precompile_headers(${target} REUSE_FROM effnet_torch)
      target_compile_options(${target} PRIVATE -fPIC)  # programs too: the precompiled header fits no -fPIE
    endif()
  endforeach()
endfunction()
