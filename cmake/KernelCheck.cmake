# Every kernel instance compiles with real NVRTC for every listed architecture, without a CUDA header and without spills:
#   cmake -S . -B artifacts/cmake && cmake --build artifacts/cmake --target kernel-check
# The compiler is driven from C#, because the list of instances is there (KernelCatalog). No GPU is needed, only libnvrtc.
add_custom_target(
  kernel-check
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/../weft profile static --json ${CMAKE_BINARY_DIR}/kernel-check.json
  WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/..
  COMMENT "Compiling every kernel for every architecture"
  USES_TERMINAL
  VERBATIM)
